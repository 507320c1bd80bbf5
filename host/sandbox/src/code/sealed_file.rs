//! A file in memory that nobody can change any more, its maker included.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

/// Seals against every change, and against more or fewer seals.
const SEALS: SealFlags = SealFlags::SEAL
    .union(SealFlags::SHRINK)
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE);

/// A sealed `memfd`. Its bytes stay as they were when they were checked.
#[derive(Debug)]
pub struct SealedFile(File);

impl SealedFile {
    /// Seals a new file with the bytes that `write` puts into it.
    ///
    /// # Errors
    ///
    /// Those of `write` and of the system.
    pub fn new(write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("ampoule-code", flags)?);
        write(&mut file)?;
        fcntl_add_seals(&file, SEALS)?;
        Ok(Self(file))
    }

    /// Seals a copy of `bytes`.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn holding(bytes: &[u8]) -> io::Result<Self> {
        Self::new(|file| file.write_all(bytes))
    }

    /// Takes a file that another process has sealed.
    ///
    /// # Errors
    ///
    /// [`InvalidData`](io::ErrorKind::InvalidData) for a descriptor of anything else.
    pub fn received(file: OwnedFd) -> io::Result<Self> {
        // Only files in memory have any.
        let seals = fcntl_get_seals(&file).unwrap_or(SealFlags::empty());
        if !seals.contains(SEALS) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a descriptor is not that of a sealed file in memory",
            ));
        }
        Ok(Self(file.into()))
    }

    /// Returns the file. Its position is shared by all who have it, so read at an offset.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.0
    }

    /// Returns the number of its bytes.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// Those of [`SealedFile::read_at`].
    pub fn read(&self) -> io::Result<Vec<u8>> {
        self.read_at(0, self.length()?)
    }

    /// Reads `length` bytes from `offset`.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when there are fewer, before memory is taken for them; those of
    /// the system.
    pub fn read_at(&self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let end = offset.checked_add(length);
        if end.is_none_or(|end| self.length().is_ok_and(|all| end > all)) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Opens the same file anew, to be read from its beginning.
    ///
    /// # Errors
    ///
    /// Those of the system, and one that says so where `/proc` is not mounted.
    pub fn reopen(&self) -> io::Result<File> {
        File::open(self.path()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other(
                "/proc is not there, by which a file in memory is opened; mount it",
            ),
            _ => error,
        })
    }

    /// Returns a path by which this process can open it, for as long as this value is alive.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_raw_fd()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_can_be_read_and_not_changed() {
        let sealed = SealedFile::holding(b"code").unwrap();
        assert_eq!(std::fs::read(sealed.path()).unwrap(), b"code");

        let mut file = &sealed.0;
        assert!(file.write_all(b"x").is_err());
        assert!(sealed.0.set_len(0).is_err());
        let mut reopened = File::options().write(true).open(sealed.path()).unwrap();
        assert!(reopened.write_all(b"x").is_err());
        assert_eq!(std::fs::read(sealed.path()).unwrap(), b"code");
    }

    #[test]
    fn a_part_is_read_and_none_beyond_the_end() {
        let sealed = SealedFile::holding(b"some code").unwrap();
        assert_eq!(sealed.read_at(5, 4).unwrap(), b"code");
        assert_eq!(sealed.read().unwrap(), b"some code");
        for (offset, length) in [(5, 5), (10, 0), (0, u64::MAX), (u64::MAX, 1)] {
            let error = sealed.read_at(offset, length).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }
}
