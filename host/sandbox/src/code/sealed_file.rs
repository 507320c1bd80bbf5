//! A file in memory that nobody can change any more, the one who made it included.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// A sealed `memfd`. What is checked in it is what is used afterwards.
#[derive(Debug)]
pub struct SealedFile(File);

impl SealedFile {
    /// Seals what `write` puts into a new file.
    pub fn new(write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("ampoule-code", flags)?);
        write(&mut file)?;
        fcntl_add_seals(
            &file,
            SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE,
        )?;
        Ok(Self(file))
    }

    /// Seals a copy of `bytes`.
    pub fn holding(bytes: &[u8]) -> io::Result<Self> {
        Self::new(|file| file.write_all(bytes))
    }

    /// The file, to read from.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// The same file, opened anew to be read from its beginning.
    pub fn reopen(&self) -> io::Result<File> {
        File::open(self.path()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::other(
                "/proc is not there, by which a file in memory is opened; mount it",
            ),
            _ => error,
        })
    }

    /// Where this process can open it, for as long as it is alive.
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
}
