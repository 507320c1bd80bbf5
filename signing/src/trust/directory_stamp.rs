//! Detects changes of a trust directory without reading it.

use std::path::Path;

use crate::files::file_stamp::FileStamp;
use crate::trust::trust_directory::{REVOCATIONS_FILE, ROOT_FILE, TRUST_FILE, check_place};

/// Stamps of the files of a trust directory, and the problem with its owners or modes, if there is one. Two stamps
/// that differ mean a change. Our own commands replace a file by a new one, which has another number in the file
/// system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStamp {
    files: [Option<FileStamp>; 3],
    /// The reason why nothing in the directory is believed: others may change a file, the directory or one above it.
    /// Permissions can change without a change of any of the files.
    problem: Option<String>,
}

impl DirectoryStamp {
    /// Takes the stamp. Take it before reading the files, so that a change in between shows in the next stamp.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        const FILES: [&str; 3] = [TRUST_FILE, ROOT_FILE, REVOCATIONS_FILE];
        Self {
            files: FILES.map(|name| {
                let metadata = std::fs::symlink_metadata(dir.join(name)).ok()?;
                Some(FileStamp::of(&metadata))
            }),
            problem: check_place(dir, FILES).err().map(|error| error.to_string()),
        }
    }
}
