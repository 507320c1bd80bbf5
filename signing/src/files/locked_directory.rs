//! A directory that only its owner changes, and one process at a time. Two commands at once then lose nothing.

use std::fs::File;

use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::files::permissions::Rule;
use crate::files::turn::take_or_say;
use crate::values::error::{Error, Result};

/// A directory that this process alone changes until the value is dropped.
pub(crate) struct LockedDirectory {
    directory: Directory,
    _lock: File,
}

impl LockedDirectory {
    /// Makes the directory, though none above it, if it is missing, readable by its owner only, and locks the file `lock_file` in it. `what`
    /// names the directory in messages.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` when others may change it or what is above it, `io.locked` when
    /// another process keeps the turn, `io.failed`.
    pub(crate) fn make(location: &Location<'_>, lock_file: &str, what: &str) -> Result<Self> {
        let directory = Directory::make(location, Rule::OwnerWrites, what)?;
        let lock = directory
            .open_lock(lock_file)
            .map_err(Error::io(format!("lock {what}")))?;
        let lock = take_or_say(lock, what)?;
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
