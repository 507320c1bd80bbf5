//! A directory of the owner's that one process at a time changes: trust, and whatever else must lose
//! nothing when two commands run at once.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::directory::Directory;
use crate::error::{Error, Result};
use crate::permissions::Rule;

/// A directory that this process alone changes, until the value is dropped.
pub(crate) struct LockedDirectory {
    directory: Directory,
    _lock: File,
}

impl LockedDirectory {
    /// Makes the directory if it is not there, readable by its owner only, and waits for its turn, which
    /// is taken on the file `lock_file`. `what` names the directory in messages.
    ///
    /// # Errors
    ///
    /// `trust.permissions` when others than the owner may change it, `io.failed`.
    pub(crate) fn make(dir: &Path, lock_file: &str, what: &str) -> Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(Error::io(format!("make {what}")))?;
        let directory = Directory::open(dir).map_err(Error::io(format!("open {what}")))?;
        directory.check(Rule::OwnerWrites, what)?;
        let lock = directory
            .open_lock(lock_file)
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(Error::io(format!("lock {what}")))?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }
}
