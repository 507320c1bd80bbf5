//! A directory that nobody but this user may look into or change, for data that a program keeps between two runs.

use std::fs::File;
use std::io;
use std::time::Duration;

use cap_std::fs::{Permissions, PermissionsExt as _};

use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::files::permissions::Rule;
use crate::files::turn::{self, Turn};
use crate::values::error::{Error, Result};

/// A handle to such a directory. Everything in it is reached through the handle, by a plain name, and no
/// link is followed.
#[derive(Debug)]
pub struct PrivateDirectory {
    directory: Directory,
}

impl PrivateDirectory {
    /// Opens the directory, and makes it if it is not there, for its owner alone. `what` names it in
    /// messages.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` when others may read or change it, or change what is above
    /// it; `io.failed`.
    pub fn make<'p>(location: impl Into<Location<'p>>, what: &str) -> Result<Self> {
        let directory = Directory::make(&location.into(), Rule::OwnerReads, what)?;
        Ok(Self { directory })
    }

    /// Opens a file and returns its length in bytes; `None` if there is no file of that name.
    ///
    /// # Errors
    ///
    /// `trust.owner`, `trust.permissions`, `file.symlink`, `file.type`, `io.failed`.
    pub fn open_file(&self, name: &str) -> Result<Option<(File, u64)>> {
        match self.directory.open_file(name) {
            Ok((file, metadata)) => Ok(Some((file.into_std(), metadata.len()))),
            Err(Error::FileMissing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a file into place, whole or not at all, and readable by its owner only. After a power cut the file may be
    /// missing or hold anything, so keep only data here that can be made again.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn put(
        &self,
        name: &str,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let dir = self.directory.handle();
        let file = cap_tempfile::TempFile::new(dir)?;
        file.as_file()
            .set_permissions(Permissions::from_mode(0o600))?;
        let mut opened = file.as_file().try_clone()?.into_std();
        write(&mut opened)?;
        file.replace(name)
    }

    /// Removes a file. A missing file is no error.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self.directory.handle().remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Locks the file `name`, waiting for `patience` at most and while `is_wanted` returns true. The lock is held
    /// until the value is dropped. `None` when the wait was given up.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn lock(
        &self,
        name: &str,
        patience: Duration,
        is_wanted: impl Fn() -> bool,
    ) -> io::Result<Option<File>> {
        let lock = self.directory.open_lock(name)?;
        let turn = turn::take(&lock, patience, is_wanted)?;
        Ok((turn == Turn::Taken).then_some(lock))
    }

    /// Lists the names of its files, sorted. Links are listed too, so that they can be removed. Directories are not
    /// looked into.
    ///
    /// # Errors
    ///
    /// `io.failed`.
    pub fn names(&self) -> Result<Vec<String>> {
        const DOING: &str = "list a directory";
        let mut names = Vec::new();
        for entry in self
            .directory
            .handle()
            .entries()
            .map_err(Error::io(DOING))?
        {
            let entry = entry.map_err(Error::io(DOING))?;
            if !entry.file_type().map_err(Error::io(DOING))?.is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}
