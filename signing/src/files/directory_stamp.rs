//! Detects changes of a directory's files without reading them.

use std::path::Path;

use crate::files::directory::Directory;
use crate::files::file_stamp::FileStamp;
use crate::files::permissions::Rule;
use crate::values::error::{Error, Result};

/// Stamps of some files of a directory, and the problem with its owners or modes, if there is one. Two stamps that
/// differ mean a change. Our own commands replace a file by a new one, which has another number in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStamp {
    files: Vec<Option<FileStamp>>,
    /// The reason why nothing in the directory is believed: others may change a file, the directory or one above it.
    /// Permissions can change without a change of any of the files.
    problem: Option<String>,
}

impl DirectoryStamp {
    /// Takes the stamp of these files, which may be missing. Take it before reading them, so that a change in between
    /// shows in the next stamp.
    #[must_use]
    pub fn of_files(dir: &Path, names: &[&str]) -> Self {
        let stamp_of = |name: &&str| {
            let metadata = std::fs::symlink_metadata(dir.join(name)).ok()?;
            Some(FileStamp::of(&metadata))
        };
        Self {
            files: names.iter().map(stamp_of).collect(),
            problem: check_place(dir, names).err().map(|error| error.to_string()),
        }
    }
}

/// Refuses a directory, a directory above it, or one of these files that somebody else may change. Nothing is read.
/// Missing files are no error.
fn check_place(dir: &Path, names: &[&str]) -> Result<()> {
    let directory = Directory::open_if_there(&dir.into(), Rule::OwnerWrites, "the directory")?;
    let Some(directory) = directory else {
        return Ok(());
    };
    for name in names {
        match directory.open_file(name) {
            Ok(_) | Err(Error::FileMissing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
