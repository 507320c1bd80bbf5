//! Reads the files of a bundle and checks them, on all cores.
//!
//! Each part is hashed right after it was read, while it is still in the processor's cache, and into
//! the memory where it stays. Nothing is handed on before every part of every file was found right.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use sha2::Digest as _;

use crate::digest::{FileDigest, Sha256Digest};
use crate::error::{Error, Result};
use crate::manifest::FileEntry;
use crate::units::ByteSize;

/// How many files are open at a time: well below what a process may have.
const OPEN_AT_ONCE: usize = 64;

/// How much of a file with a single digest is read and hashed at a time: it fits into the cache.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// Where the content of one file of the manifest is.
#[derive(Clone, Debug)]
pub(crate) struct FileRegion {
    /// The open file that holds it.
    pub(crate) file: Arc<File>,
    /// Where in it the content begins, in bytes.
    pub(crate) start: u64,
    /// Whether the open file must end where the content does.
    pub(crate) to_the_end: bool,
}

/// Reads all of `entries`, each from where `open` finds it, and checks them.
///
/// # Errors
///
/// What `open` says, `file.size`, `file.digest`, `io.failed`: of the first file, in the order of
/// `entries`, of those that were open at the same time.
pub(crate) fn read_verified(
    entries: &[&FileEntry],
    open: impl Fn(&FileEntry) -> Result<FileRegion>,
) -> Result<Vec<Arc<[u8]>>> {
    let mut contents = Vec::with_capacity(entries.len());
    for entries in entries.chunks(OPEN_AT_ONCE) {
        let mut opened = Vec::with_capacity(entries.len());
        for entry in entries {
            opened.push((*entry, open(entry)?, buffer(entry)?));
        }
        let mut parts = Vec::new();
        for (entry, region, bytes) in &mut opened {
            let bytes = Arc::get_mut(bytes).ok_or(Error::Internal("a file's buffer"))?;
            parts_of(entry, region, bytes, &mut parts)?;
        }
        // The first that fails in the manifest's order, so that the error does not depend on threads.
        match parts
            .into_par_iter()
            .find_map_first(|part| part.read().err())
        {
            None => {}
            Some(error) => return Err(error),
        }
        for (entry, region, bytes) in opened {
            if region.to_the_end {
                check_end(entry, &region)?;
            }
            contents.push(bytes);
        }
    }
    Ok(contents)
}

/// Shared memory for a file's content, so that large weights are never there twice.
fn buffer(entry: &FileEntry) -> Result<Arc<[u8]>> {
    let length = usize::try_from(entry.size().bytes()).map_err(|_| Error::FileTooLarge {
        found: entry.size(),
        allowed: ByteSize::from_bytes(usize::MAX as u64),
    })?;
    Ok(std::iter::repeat_n(0, length).collect())
}

/// A part of a file with a digest of its own, and where in memory it goes.
struct Part<'a> {
    entry: &'a FileEntry,
    file: &'a File,
    offset: u64,
    bytes: &'a mut [u8],
    digest: Sha256Digest,
}

fn parts_of<'a>(
    entry: &'a FileEntry,
    region: &'a FileRegion,
    bytes: &'a mut [u8],
    parts: &mut Vec<Part<'a>>,
) -> Result<()> {
    let mut part = |offset, bytes, digest| {
        parts.push(Part {
            entry,
            file: &region.file,
            offset,
            bytes,
            digest,
        });
    };
    match entry.digest() {
        FileDigest::Sha256(digest) => part(region.start, bytes, *digest),
        FileDigest::Sha256Chunks {
            chunk_size,
            digests,
        } => {
            // One that is longer than the address space is the whole file.
            let length = usize::try_from(*chunk_size).unwrap_or(usize::MAX);
            if length == 0 || bytes.len().div_ceil(length) != digests.len() {
                return Err(refused(entry));
            }
            let mut offset = region.start;
            for (bytes, digest) in bytes.chunks_mut(length).zip(digests) {
                let next = offset.saturating_add(bytes.len() as u64);
                part(offset, bytes, *digest);
                offset = next;
            }
        }
    }
    Ok(())
}

impl Part<'_> {
    /// Reads it into its memory, and checks what is there then.
    fn read(self) -> Result<()> {
        let mut hasher = sha2::Sha256::new();
        let mut offset = self.offset;
        for piece in self.bytes.chunks_mut(PIECE_BYTES) {
            self.file
                .read_exact_at(piece, offset)
                .map_err(|error| failed(self.entry, self.file, offset, error))?;
            hasher.update(&piece);
            offset = offset.saturating_add(piece.len() as u64);
        }
        if Sha256Digest::of_hasher(hasher) == self.digest {
            Ok(())
        } else {
            Err(refused(self.entry))
        }
    }
}

/// What a failed read says: of a file that is shorter than the manifest says, how long it is.
fn failed(entry: &FileEntry, file: &File, offset: u64, error: io::Error) -> Error {
    match file.metadata() {
        Ok(metadata) if error.kind() == io::ErrorKind::UnexpectedEof => Error::FileSize {
            path: entry.path().to_owned(),
            expected: entry.size(),
            found: ByteSize::from_bytes(metadata.len().min(offset)),
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
