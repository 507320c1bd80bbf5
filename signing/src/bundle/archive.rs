//! The one-file form of a bundle: a tar archive (ustar, POSIX.1-1988) with exactly one spelling.
//!
//! The envelope comes first, then the component and the assets in the manifest's order, each under its path in the
//! bundle. Two blocks of zeros end the file. Owners, modes and times are the same in every archive. The manifest
//! therefore determines every byte of the archive, except the files' own contents, and those have digests. The reader
//! does not parse the archive: it predicts the bytes and compares. A link, a device, a sparse file, a second file of
//! the same name, an absolute path, another order or trailing data are all refused for the same reason: the bytes
//! differ.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use crate::bundle::envelope::ENVELOPE_FILE;
use crate::bundle::envelope::MAX_ENVELOPE_BYTES;
use crate::bundle::file_reader::FileRegion;
use crate::bundle::manifest::Manifest;
use crate::files::directory::Directory;
use crate::files::file_stamp::FileStamp;
use crate::files::permission_policy::Location;
use crate::files::permissions::Rule;
use crate::files::progress::Progress;
use crate::values::error::{Error, Result};
use ampoule_units::ByteSize;
use ampoule_units::text;

/// Bytes of a block of a tar archive.
const BLOCK: usize = 512;
/// Two blocks of zeros, which end the archive.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The largest file whose length fits into a header: eleven octal digits.
const MAX_FILE_BYTES: u64 = (1 << 33) - 1;
/// Bytes of a path that the header's name and prefix fields hold. The slash between the two is not stored.
const NAME_BYTES: usize = 100;
const PREFIX_BYTES: usize = 155;

/// A packed bundle, opened once.
#[derive(Debug)]
pub(crate) struct Archive {
    file: Arc<File>,
    length: u64,
    envelope: Vec<u8>,
    progress: Progress,
}

impl Archive {
    /// Opens a packed bundle and reads its envelope.
    ///
    /// # Errors
    ///
    /// `file.symlink`, `file.type`, `file.missing`, `trust.owner` and `trust.permissions` when others may
    /// change the file or a directory above it, `file.archive`, `io.failed`.
    pub(crate) fn open(location: &Location<'_>) -> Result<Self> {
        let (directory, name) =
            Directory::open_parent(location, Rule::NotWorldWritable, "the bundle")?;
        let (file, metadata) = directory.open_file(name)?;
        let file = file.into_std();
        let length = metadata.len();
        let mut block = [0; BLOCK];
        read(&file, &mut block, 0)?;
        let size = size_in(&block).filter(|size| *size <= MAX_ENVELOPE_BYTES);
        let size = size.ok_or_else(|| unexpected(&block, ENVELOPE_FILE, 0))?;
        expect_header(&block, ENVELOPE_FILE, size)?;
        let mut envelope = vec![0; usize::try_from(size).map_err(|_| truncated())?];
        read(&file, &mut envelope, BLOCK as u64)?;
        Ok(Self {
            file: Arc::new(file),
            length,
            envelope,
            progress: location.progress.clone(),
        })
    }

    /// Returns the system's metadata of the file now; `None` if the system gives none.
    pub(crate) fn stamp(&self) -> Option<FileStamp> {
        Some(FileStamp::of(&self.file.metadata().ok()?))
    }

    /// Returns the counter of bytes read from the archive's files.
    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The envelope's bytes.
    pub(crate) fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// Returns the place of each file of the manifest. Every byte between the files is compared first.
    ///
    /// # Errors
    ///
    /// `file.archive`, `io.failed`.
    pub(crate) fn regions(&self, manifest: &Manifest) -> Result<BTreeMap<String, FileRegion>> {
        let mut regions = BTreeMap::new();
        let mut end =
            self.check_padding(ENVELOPE_FILE, BLOCK as u64, self.envelope.len() as u64)?;
        for entry in manifest.all_files() {
            let mut block = [0; BLOCK];
            read(&self.file, &mut block, end)?;
            expect_header(&block, entry.path(), entry.size().bytes())?;
            let start = end.saturating_add(BLOCK as u64);
            let region = FileRegion {
                file: Arc::clone(&self.file),
                start,
                to_the_end: false,
            };
            regions.insert(entry.path().to_owned(), region);
            end = self.check_padding(entry.path(), start, entry.size().bytes())?;
        }
        let mut last = END;
        read(&self.file, &mut last, end)?;
        if last != END {
            return Err(refused("something follows the last file of its manifest"));
        }
        let expected = end.saturating_add(END.len() as u64);
        if self.length != expected {
            return Err(refused(format!(
                "it is {} long, expected {}",
                ByteSize::from_bytes(self.length),
                ByteSize::from_bytes(expected)
            )));
        }
        Ok(regions)
    }

    /// Checks that zeros fill up a content's last block, and returns the offset of the next block.
    fn check_padding(&self, path: &str, start: u64, size: u64) -> Result<u64> {
        let end = start.checked_add(size).ok_or_else(truncated)?;
        let mut padding = [0; BLOCK];
        let padding = &mut padding[..padding_of(size)];
        read(&self.file, padding, end)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(refused(format!("something is hidden behind {path:?}")));
        }
        Ok(end + padding.len() as u64)
    }
}

/// Returns the number of zeros that fill up the last block of a content of `size` bytes.
pub(crate) fn padding_of(size: u64) -> usize {
    // Less than a block.
    (BLOCK as u64 - size % BLOCK as u64) as usize % BLOCK
}

/// Returns the one header for a file of this path and size.
///
/// # Errors
///
/// `file.archive` for a path or a size that a header has no room for.
pub(crate) fn header(path: &str, size: u64) -> Result<[u8; BLOCK]> {
    if size > MAX_FILE_BYTES {
        return Err(refused(format!(
            "{path:?} is {} long, and a packed file has at most {}",
            ByteSize::from_bytes(size),
            ByteSize::from_bytes(MAX_FILE_BYTES)
        )));
    }
    let (prefix, name) = split(path).ok_or_else(|| {
        refused(format!(
            "a packed bundle has no room for a path as long as {path:?}"
        ))
    })?;
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0"); // mode
    put(108, b"0000000\0"); // user
    put(116, b"0000000\0"); // group
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0"); // time
    put(148, b"        "); // the checksum, while it is calculated
    put(156, b"0"); // a regular file
    put(257, b"ustar\x0000");
    put(329, b"0000000\0"); // device numbers
    put(337, b"0000000\0");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(block)
}

/// Splits a path into a header's prefix and name, with the longest name that fits.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME_BYTES {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(_, name)| name.len() <= NAME_BYTES)
        .filter(|(prefix, _)| prefix.len() <= PREFIX_BYTES)
}

fn expect_header(found: &[u8; BLOCK], path: &str, size: u64) -> Result<()> {
    if *found == header(path, size)? {
        Ok(())
    } else {
        Err(unexpected(found, path, size))
    }
}

/// Reads the size in a header; `None` if it is spelled otherwise than [`header`] writes it.
fn size_in(block: &[u8; BLOCK]) -> Option<u64> {
    let digits = std::str::from_utf8(&block[124..135]).ok()?;
    let is_octal = digits.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    is_octal.then(|| u64::from_str_radix(digits, 8).ok())?
}

/// Describes the bytes found in place of a file's header. This only words the error; the refusal is decided.
fn unexpected(found: &[u8; BLOCK], path: &str, size: u64) -> Error {
    let text = |field: &[u8]| {
        let field = field.split(|byte| *byte == 0).next().unwrap_or_default();
        text::name(&String::from_utf8_lossy(field))
    };
    let what = if found.iter().all(|byte| *byte == 0) {
        "its end".to_owned()
    } else if !found[257..].starts_with(b"ustar\x0000") {
        "no tar header".to_owned()
    } else {
        match found[156] {
            b'0' if text(&found[..NAME_BYTES]) != text(path.as_bytes()) && path.len() <= 100 => {
                format!("the file {}", text(&found[..NAME_BYTES]))
            }
            b'0' => match size_in(found) {
                Some(other) if other != size => format!("a file of {other} bytes"),
                _ => "a header in another spelling".to_owned(),
            },
            b'1' | b'2' => "a link".to_owned(),
            b'3' | b'4' => "a device".to_owned(),
            b'5' => "a directory".to_owned(),
            b'6' => "a pipe".to_owned(),
            b'S' => "a sparse file".to_owned(),
            _ => "an extension of another tar format".to_owned(),
        }
    };
    refused(format!("found {what} where {path:?} should begin"))
}

fn read(file: &File, bytes: &mut [u8], offset: u64) -> Result<()> {
    file.read_exact_at(bytes, offset)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => truncated(),
            _ => Error::io("read the packed bundle")(error),
        })
}

fn truncated() -> Error {
    refused("it ends too early")
}

fn refused(reason: impl Into<String>) -> Error {
    Error::FileArchive {
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_split_where_the_name_is_longest() {
        let long = format!("{}/{}", "a".repeat(90), "b".repeat(60));
        assert_eq!(split(&long), Some((&long[..90], &long[91..])));
        assert_eq!(split("a/b"), Some(("", "a/b")));
        assert_eq!(split(&"a".repeat(101)), None);
        let longest = format!("{}/{}", "a".repeat(155), "b".repeat(100));
        assert!(split(&longest).is_some());
        assert_eq!(split(&format!("a{longest}")), None);
    }

    #[test]
    fn a_content_is_filled_up_to_whole_blocks() {
        for (size, padding) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511)] {
            assert_eq!(padding_of(size), padding, "{size}");
        }
    }

    #[test]
    fn a_size_that_no_header_holds_is_refused() {
        assert!(header("a", MAX_FILE_BYTES).is_ok());
        assert_eq!(
            header("a", MAX_FILE_BYTES + 1).unwrap_err().code(),
            "file.archive"
        );
    }
}
