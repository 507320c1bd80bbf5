//! A directory of the owner's that one process at a time changes: trust, and whatever else must lose
//! nothing when two commands run at once.

use std::fs::File;

use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::files::permissions::Rule;
use crate::files::turn::take_or_say;
use crate::values::error::{Error, Result};

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
