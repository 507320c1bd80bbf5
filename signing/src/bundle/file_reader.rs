//! Reads the files of a bundle and checks them, on all cores.
//!
//! Each part is hashed right after it was read, while it is still in the processor's cache. A part that is kept is
//! read straight into its final memory. No content is handed on before every part of every file was compared.

use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use sha2::Digest as _;

use crate::bundle::manifest::FileEntry;
use crate::files::file_buffer::FileBuffer;
use crate::files::progress::Progress;
use crate::values::digest::{FileDigest, Sha256Digest};
use crate::values::error::{Error, Result};
use ampoule_units::ByteSize;

/// Files that are open at a time: well below the limit of a process.
const OPEN_AT_ONCE: usize = 64;

/// Bytes of a file with a single digest that are read and hashed at a time. They fit into the processor's cache.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// Place of one file's content in an open file.
#[derive(Clone, Debug)]
pub(crate) struct FileRegion {
    /// The open file that holds it.
    pub(crate) file: Arc<File>,
    /// Offset of the content, in bytes.
    pub(crate) start: u64,
    /// True if the open file must end where the content does.
    pub(crate) to_the_end: bool,
}

/// Reads all of `entries`, each from where `open` finds it, and checks them.
///
/// # Errors
///
/// Those of `open`, `file.size`, `file.digest`, `io.failed`: the error of the first file, in the order of `entries`,
/// among those that were open at the same time.
pub(crate) fn read_verified(
    entries: &[&FileEntry],
    progress: &Progress,
    open: impl Fn(&FileEntry) -> Result<FileRegion>,
) -> Result<Vec<Bytes>> {
    expect(entries, progress);
    let mut contents = Vec::with_capacity(entries.len());
    for entries in entries.chunks(OPEN_AT_ONCE) {
        let opened = open_all(entries, &open)?;
        let mut buffers = entries
            .iter()
            .map(|entry| buffer(entry))
            .collect::<Result<Vec<_>>>()?;
        let mut parts = Vec::new();
        for ((entry, region), buffer) in opened.iter().zip(&mut buffers) {
            let mut rest = buffer.as_mut_slice();
            for (extent, digest) in extents(entry, region, progress)? {
                let length = usize::try_from(extent.length).unwrap_or(usize::MAX);
                let (bytes, after) = rest.split_at_mut(length.min(rest.len()));
                rest = after;
                parts.push((extent, digest, bytes));
            }
        }
        check_all(parts, |(extent, digest, bytes)| extent.read(bytes, digest))?;
        check_ends(&opened)?;
        contents.extend(buffers.into_iter().map(Bytes::from));
    }
    Ok(contents)
}

/// Reads all of `entries` and compares them with their digests, without keeping the contents.
///
/// # Errors
///
/// As [`read_verified`].
pub(crate) fn check_verified(
    entries: &[&FileEntry],
    progress: &Progress,
    open: impl Fn(&FileEntry) -> Result<FileRegion>,
) -> Result<()> {
    expect(entries, progress);
    for entries in entries.chunks(OPEN_AT_ONCE) {
        let opened = open_all(entries, &open)?;
        let mut parts = Vec::new();
        for (entry, region) in &opened {
            parts.extend(extents(entry, region, progress)?);
        }
        check_all(parts, |(extent, digest)| {
            extent.check(digest, &mut piece_buffer(), |_| Ok(()))
        })?;
        check_ends(&opened)?;
    }
    Ok(())
}

/// Reads a file from its beginning to its end, and hands on each piece once it is hashed. A digest is compared only
/// at its end: keep the pieces only if this succeeds.
///
/// # Errors
///
/// Those of `piece`, `file.size`, `file.digest`, `io.failed`.
pub(crate) fn copy_verified(
    entry: &FileEntry,
    region: &FileRegion,
    progress: &Progress,
    mut piece: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    expect(&[entry], progress);
    let mut buffer = piece_buffer();
    for (extent, digest) in extents(entry, region, progress)? {
        extent.check(digest, &mut buffer, &mut piece)?;
    }
    if region.to_the_end {
        check_end(entry, region)?;
    }
    Ok(())
}

/// Returns the digest of a file of `size` bytes, or one digest for each `chunk_size` bytes.
///
/// # Errors
///
/// `file.changed` when the file has another length than that by then, `io.failed`.
pub(crate) fn digest_file(
    path: &str,
    file: &File,
    size: u64,
    chunk_size: Option<NonZeroU32>,
    progress: &Progress,
) -> Result<FileDigest> {
    let hash = |offset: u64, length: u64| {
        let mut hasher = sha2::Sha256::new();
        let mut buffer = piece_buffer();
        let mut done = 0;
        while done < length {
            let piece = piece_of(&mut buffer, length - done);
            file.read_exact_at(piece, offset + done)
                .map_err(|error| match error.kind() {
                    io::ErrorKind::UnexpectedEof => changed(path),
                    _ => Error::io(format!("read {path:?}"))(error),
                })?;
            hasher.update(&piece);
            progress.add(piece.len());
            done += piece.len() as u64;
        }
        Ok(Sha256Digest::of_hasher(hasher))
    };
    let digest = match chunk_size.map(|chunk_size| u64::from(chunk_size.get())) {
        None => FileDigest::Sha256(hash(0, size)?),
        Some(chunk_size) => FileDigest::Sha256Chunks {
            chunk_size,
            digests: (0..size.div_ceil(chunk_size))
                .into_par_iter()
                .map(|chunk| {
                    let offset = chunk * chunk_size;
                    hash(offset, (size - offset).min(chunk_size))
                })
                .collect::<Result<_>>()?,
        },
    };
    match file.read_at(&mut [0], size) {
        Ok(0) => Ok(digest),
        Ok(_) => Err(changed(path)),
        Err(error) => Err(Error::io(format!("read {path:?}"))(error)),
    }
}

fn changed(path: &str) -> Error {
    Error::FileChanged {
        path: path.to_owned(),
    }
}

fn expect(entries: &[&FileEntry], progress: &Progress) {
    progress.expect(
        entries
            .iter()
            .fold(0u64, |sum, entry| sum.saturating_add(entry.size().bytes())),
    );
}

fn piece_buffer() -> Vec<u8> {
    vec![0; PIECE_BYTES]
}

/// Returns the start of a buffer, at most `rest` bytes.
fn piece_of(buffer: &mut [u8], rest: u64) -> &mut [u8] {
    let length = usize::try_from(rest)
        .unwrap_or(usize::MAX)
        .min(buffer.len());
    &mut buffer[..length]
}

fn open_all<'e>(
    entries: &[&'e FileEntry],
    open: impl Fn(&FileEntry) -> Result<FileRegion>,
) -> Result<Vec<(&'e FileEntry, FileRegion)>> {
    entries
        .iter()
        .map(|entry| Ok((*entry, open(entry)?)))
        .collect()
}

/// Checks parts on all cores. Of several errors, the first in the manifest's order is returned, so that the result
/// does not depend on timing.
fn check_all<P: Send>(parts: Vec<P>, check: impl Fn(P) -> Result<()> + Sync) -> Result<()> {
    parts
        .into_par_iter()
        .find_map_first(|part| check(part).err())
        .map_or(Ok(()), Err)
}

fn check_ends(opened: &[(&FileEntry, FileRegion)]) -> Result<()> {
    opened
        .iter()
        .filter(|(_, region)| region.to_the_end)
        .try_for_each(|(entry, region)| check_end(entry, region))
}

fn buffer(entry: &FileEntry) -> Result<FileBuffer> {
    let length = usize::try_from(entry.size().bytes()).map_err(|_| Error::FileTooLarge {
        found: entry.size(),
        allowed: ByteSize::from_bytes(usize::MAX as u64),
    })?;
    FileBuffer::new(length).map_err(Error::io(format!("find memory for {:?}", entry.path())))
}

/// A part of a file with a digest of its own.
struct Extent<'a> {
    entry: &'a FileEntry,
    file: &'a File,
    /// Offset of the file's content in the open file, in bytes.
    start: u64,
    /// Offset of this extent in the open file, in bytes.
    offset: u64,
    length: u64,
    progress: &'a Progress,
}

fn extents<'a>(
    entry: &'a FileEntry,
    region: &'a FileRegion,
    progress: &'a Progress,
) -> Result<Vec<(Extent<'a>, Sha256Digest)>> {
    let size = entry.size().bytes();
    let extent = |offset, length| Extent {
        entry,
        file: &region.file,
        start: region.start,
        offset: region.start.saturating_add(offset),
        length,
        progress,
    };
    match entry.digest() {
        FileDigest::Sha256(digest) => Ok(vec![(extent(0, size), *digest)]),
        FileDigest::Sha256Chunks {
            chunk_size,
            digests,
        } => {
            if *chunk_size == 0 || size.div_ceil(*chunk_size) != digests.len() as u64 {
                return Err(refused(entry));
            }
            let offsets = (0..size).step_by(usize::try_from(*chunk_size).unwrap_or(usize::MAX));
            Ok(offsets
                .zip(digests)
                .map(|(offset, digest)| (extent(offset, (size - offset).min(*chunk_size)), *digest))
                .collect())
        }
    }
}

impl Extent<'_> {
    /// Reads the extent into `bytes`, which has its length, and compares the digest of those very bytes.
    fn read(&self, bytes: &mut [u8], digest: Sha256Digest) -> Result<()> {
        let mut hasher = sha2::Sha256::new();
        let mut offset = self.offset;
        for piece in bytes.chunks_mut(PIECE_BYTES) {
            self.read_piece(piece, offset)?;
            hasher.update(&piece);
            offset = offset.saturating_add(piece.len() as u64);
        }
        self.compare(hasher, digest)
    }

    /// Reads the extent piece by piece, hands on each, and compares the digest at the end.
    fn check(
        &self,
        digest: Sha256Digest,
        buffer: &mut [u8],
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut hasher = sha2::Sha256::new();
        let mut done = 0;
        while done < self.length {
            let piece = piece_of(buffer, self.length - done);
            self.read_piece(piece, self.offset.saturating_add(done))?;
            hasher.update(&piece);
            each(piece)?;
            done += piece.len() as u64;
        }
        self.compare(hasher, digest)
    }

    fn read_piece(&self, piece: &mut [u8], offset: u64) -> Result<()> {
        self.file
            .read_exact_at(piece, offset)
            .map_err(|error| failed(self.entry, self.file, self.start, error))?;
        self.progress.add(piece.len());
        Ok(())
    }

    fn compare(&self, hasher: sha2::Sha256, digest: Sha256Digest) -> Result<()> {
        if Sha256Digest::of_hasher(hasher) == digest {
            Ok(())
        } else {
            Err(refused(self.entry))
        }
    }
}

/// Explains a failed read: of a file that is shorter than the manifest says, the error names how much there is of
/// the content, which begins at `start`.
fn failed(entry: &FileEntry, file: &File, start: u64, error: io::Error) -> Error {
    match file.metadata() {
        Ok(metadata) if error.kind() == io::ErrorKind::UnexpectedEof => Error::FileSize {
            path: entry.path().to_owned(),
            expected: entry.size(),
            found: ByteSize::from_bytes(metadata.len().saturating_sub(start)),
        },
        _ => Error::io(format!("read {:?}", entry.path()))(error),
    }
}

/// The file may have grown since the look at its length.
fn check_end(entry: &FileEntry, region: &FileRegion) -> Result<()> {
    let end = region.start.saturating_add(entry.size().bytes());
    match region.file.read_at(&mut [0], end) {
        Ok(0) => Ok(()),
        Ok(_) => Err(Error::FileSize {
            path: entry.path().to_owned(),
            expected: entry.size(),
            found: ByteSize::from_bytes(entry.size().bytes().saturating_add(1)),
        }),
        Err(error) => Err(Error::io(format!("read {:?}", entry.path()))(error)),
    }
}

fn refused(entry: &FileEntry) -> Error {
    Error::FileDigest {
        path: entry.path().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_that_was_cut_is_said_to_be_as_long_as_it_is() {
        let left = 300_000;
        for start in [0, 1000] {
            let file = tempfile::tempfile().unwrap();
            file.set_len(start + left).unwrap();
            let file = Arc::new(file);
            let region = FileRegion {
                file,
                start,
                to_the_end: false,
            };
            let whole = FileDigest::Sha256(Sha256Digest::of(b"x"));
            // Of its chunks, the first that fails is the second.
            let chunks = FileDigest::Sha256Chunks {
                chunk_size: 200_000,
                digests: [[0; 200_000].as_slice(); 5].map(Sha256Digest::of).into(),
            };
            for digest in [whole, chunks] {
                let entry = FileEntry {
                    path: "a".to_owned(),
                    size: ByteSize::from_bytes(1_000_000),
                    digest,
                };
                let progress = Progress::default();
                let open = |_: &FileEntry| Ok(region.clone());
                for refused in [
                    read_verified(&[&entry], &progress, open).unwrap_err(),
                    check_verified(&[&entry], &progress, open).unwrap_err(),
                    copy_verified(&entry, &region, &progress, |_| Ok(())).unwrap_err(),
                ] {
                    let is_right =
                        matches!(&refused, Error::FileSize { found, .. } if found.bytes() == left);
                    assert!(is_right, "{refused}");
                }
            }
        }
    }

    #[test]
    fn a_file_that_changes_its_length_while_it_is_read_has_no_digest() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 1000]).unwrap();
        let progress = Progress::default();
        let digest = |size, chunk| digest_file("a", &file, size, NonZeroU32::new(chunk), &progress);
        assert_eq!(
            digest(1000, 0).unwrap(),
            FileDigest::Sha256(Sha256Digest::of(&[7; 1000]))
        );
        assert!(digest(1000, 300).unwrap().verify(&[7; 1000]));
        assert_eq!(progress.done(), 2000);
        for size in [0, 999, 1001, 5000] {
            for chunk in [0, 300] {
                let error = digest(size, chunk).unwrap_err();
                assert_eq!(error.code(), "file.changed", "{size} {chunk}");
            }
        }
    }
}
