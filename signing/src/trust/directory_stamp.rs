//! Detects changes of a trust directory without reading it.

use std::path::Path;

use crate::files::file_stamp::FileStamp;
use crate::trust::trust_directory::{REVOCATIONS_FILE, ROOT_FILE, TRUST_FILE, check_place};

/// Stamps of the files of a trust directory, and the problem with who may change them, if there is one. Two stamps
/// that differ mean that something was changed. Every command of ours that changes a file puts a new one in its
/// place, which has another number in the file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStamp {
    files: [Option<FileStamp>; 3],
    /// The reason why nothing in the directory is believed: others may change a file, the directory or one above it.
    /// Permissions can change without a change of any of the files.
    problem: Option<String>,
}

impl DirectoryStamp {
    /// The directory as it is now. Take it before reading the files: what is changed in between then
    /// shows the next time.
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
