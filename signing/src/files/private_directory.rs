//! A directory that nobody but this user may look into or change, for data that a program keeps between two runs.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant, SystemTime};

use ampoule_units::ByteSize;
use cap_std::fs::{MetadataExt as _, Permissions, PermissionsExt as _};

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
    /// Opens the directory, and makes it if it is not there, for its owner alone. The directory above it has to be
    /// there. `what` names it in messages.
    ///
    /// # Errors
    ///
    /// `trust.owner` and `trust.permissions` when others may read or change it, or change what is above
    /// it; `io.failed`.
    pub fn make<'p>(location: impl Into<Location<'p>>, what: &str) -> Result<Self> {
        let directory = Directory::make(&location.into(), Rule::OwnerReads, what)?;
        Ok(Self { directory })
    }

    /// Opens or makes the directory as [`PrivateDirectory::make`] does, and makes missing directories above it too: for
    /// a path that nobody typed.
    ///
    /// # Errors
    ///
    /// As [`PrivateDirectory::make`].
    pub fn make_all<'p>(location: impl Into<Location<'p>>, what: &str) -> Result<Self> {
        let directory = Directory::make_all(&location.into(), Rule::OwnerReads, what)?;
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

    /// Puts a file into place as [`PrivateDirectory::put`] does, and so that it survives a power cut: the file is synced
    /// before it gets its name, and the directory afterwards.
    ///
    /// # Errors
    ///
    /// The system's. The file is then as it was.
    pub fn put_durably(
        &self,
        name: &str,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        self.directory
            .replace_with(name, 0o600, |file| write(&mut file.try_clone()?.into_std()))
    }

    /// Opens a file to write at its end, and makes it if it is not there, readable by its owner only.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn open_append(&self, name: &str) -> io::Result<File> {
        self.directory.open_append(name)
    }

    /// Puts one file into the place of another, so that the change survives a power cut.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn rename_durably(&self, from: &str, to: &str) -> io::Result<()> {
        let dir = self.directory.handle();
        dir.rename(from, dir, to)?;
        self.directory.sync()
    }

    /// Waits until the names of the directory's files will survive a power cut.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn sync(&self) -> io::Result<()> {
        self.directory.sync()
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

    /// Takes the lock `name`: waits for `patience` at most, and for as long as `is_wanted` returns true. `None` when the
    /// wait was given up. Others wait until the returned guard is dropped, which removes the lock's file too.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn lock(
        &self,
        name: &str,
        patience: Duration,
        is_wanted: impl Fn() -> bool,
    ) -> io::Result<Option<PrivateLock<'_>>> {
        let began = Instant::now();
        loop {
            let file = self.directory.open_lock(name)?;
            let left = patience.saturating_sub(began.elapsed());
            if turn::take(&file, left, &is_wanted)? == Turn::GivenUp {
                return Ok(None);
            }
            let lock = PrivateLock {
                directory: &self.directory,
                name: name.to_owned(),
                file,
            };
            // The last holder has removed the file that was waited for: whoever comes now locks another one.
            if lock.is_in_place()? {
                return Ok(Some(lock));
            }
        }
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

    /// Lists the directory's files, links included, sorted by name. A file that another process removes meanwhile
    /// may be missing.
    ///
    /// # Errors
    ///
    /// `io.failed`.
    pub fn files(&self) -> Result<Vec<PrivateFile>> {
        let mut files = Vec::new();
        for name in self.names()? {
            let found = match self.directory.handle().symlink_metadata(&name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                found => found.map_err(Error::io("look at a file of a directory"))?,
            };
            let modified = found.modified().map_err(Error::io("read a file's time"))?;
            files.push(PrivateFile {
                is_draft: is_name_of_draft(&name),
                name,
                size: ByteSize::from_bytes(found.len()),
                modified: modified.into_std(),
            });
        }
        Ok(files)
    }
}

/// A file in a [`PrivateDirectory`], as the system lists it. Links are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrivateFile {
    /// Name in the directory.
    pub name: String,
    /// Length of the content.
    pub size: ByteSize,
    /// Time of the last change of the content, unless it was set since.
    pub modified: SystemTime,
    /// Set for a file that [`PrivateDirectory::put`] has not put into place: another process is writing it, or was
    /// killed while it did.
    pub is_draft: bool,
}

/// Tells whether `cap_tempfile` gave this name, which is a UUID in lower case.
fn is_name_of_draft(name: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let parts: Vec<_> = name.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.into_iter().all(is_hex)
}

/// Lock of a [`PrivateDirectory`]. Dropping it removes the lock's file, and lets the next one in.
///
/// Invariant: of the processes that lock one name, only the holder removes its file.
#[derive(Debug)]
pub struct PrivateLock<'d> {
    directory: &'d Directory,
    name: String,
    file: File,
}

impl PrivateLock<'_> {
    /// Tells whether the file that is locked is the one that others find under the name.
    fn is_in_place(&self) -> io::Result<bool> {
        let held = self.file.metadata()?;
        match self.directory.handle().symlink_metadata(&self.name) {
            Ok(found) => Ok((found.dev(), found.ino()) == (held.dev(), held.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for PrivateLock<'_> {
    fn drop(&mut self) {
        // The file is closed, and so unlocked, only afterwards. A file that cannot be removed is locked again next time.
        if self.is_in_place().unwrap_or(false) {
            let _ = self.directory.handle().remove_file(&self.name);
        }
    }
}
