//! A directory of an operator's decisions: nobody but its owner changes a file in it, and one process at a time.
//!
//! Others may read its files, except those that [`GuardedDirectory::replace_private`] writes.

use std::fs::File;

use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::files::permissions::Rule;
use crate::files::turn::take_or_say;
use crate::values::error::{Error, Result};

/// A handle to such a directory. Everything in it is reached through the handle, by a plain name, and no link is
/// followed.
#[derive(Debug)]
pub struct GuardedDirectory {
    directory: Directory,
    what: String,
}

/// Lock of a [`GuardedDirectory`]. Dropping it lets the next process in.
#[derive(Debug)]
pub struct GuardedLock(#[expect(dead_code, reason = "closing the file unlocks it")] File);

impl GuardedDirectory {
    /// Opens the directory; `None` where there is none. `what` names it in messages.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` when others may change it, or change what is above it; `io.failed`.
    pub fn open<'p>(location: impl Into<Location<'p>>, what: &str) -> Result<Option<Self>> {
        let directory = Directory::open_if_there(&location.into(), Rule::OwnerWrites, what)?;
        Ok(directory.map(|directory| Self::new(directory, what)))
    }

    /// Opens the directory, and makes it if it is not there, readable by its owner only. The directory above it has to
    /// be there.
    ///
    /// # Errors
    ///
    /// As [`GuardedDirectory::open`].
    pub fn make<'p>(location: impl Into<Location<'p>>, what: &str) -> Result<Self> {
        let directory = Directory::make(&location.into(), Rule::OwnerWrites, what)?;
        Ok(Self::new(directory, what))
    }

    fn new(directory: Directory, what: &str) -> Self {
        Self {
            directory,
            what: what.to_owned(),
        }
    }

    /// Locks the file `name`, which is made if need be and stays. Waits for [`LOCK_PATIENCE`](crate::LOCK_PATIENCE) at
    /// most.
    ///
    /// # Errors
    ///
    /// `io.locked` when another process keeps the lock, `io.failed`.
    pub fn lock(&self, name: &str) -> Result<GuardedLock> {
        let lock = self.directory.open_lock(name);
        let lock = lock.map_err(Error::io(format!("lock {}", self.what)))?;
        take_or_say(lock, &self.what).map(GuardedLock)
    }

    /// Reads a file whole; `None` if there is no file of that name.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` when others may change the file, `file.symlink`, `file.type`;
    /// `io.failed`, also for a file that is longer than `max_bytes`.
    pub fn read(&self, name: &str, max_bytes: u64) -> Result<Option<Vec<u8>>> {
        match self.directory.read_bounded(name, max_bytes) {
            Err(Error::FileMissing { .. }) => Ok(None),
            Err(error) => Err(error),
            Ok(Ok(bytes)) => Ok(Some(bytes)),
            Ok(Err(_)) => Err(Error::io(format!("read {name}"))(
                std::io::ErrorKind::FileTooLarge.into(),
            )),
        }
    }

    /// Replaces a file atomically, also across a power cut. Whoever may read the directory may read the file.
    ///
    /// # Errors
    ///
    /// `io.failed`. The file is then as it was.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let replaced = self.directory.replace_for_readers(name, bytes);
        replaced.map_err(Error::io(format!("write {name}")))
    }

    /// Replaces a file as [`GuardedDirectory::replace`] does, readable by its owner only.
    ///
    /// # Errors
    ///
    /// `io.failed`. The file is then as it was.
    pub fn replace_private(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let replaced = self.directory.replace(name, bytes, 0o600);
        replaced.map_err(Error::io(format!("write {name}")))
    }
}
