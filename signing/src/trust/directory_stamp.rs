//! Whether a trust directory was changed, without reading it.

use std::path::Path;

use crate::file_stamp::FileStamp;
use crate::trust::directory::{REVOCATIONS_FILE, ROOT_FILE, TRUST_FILE, check_place};

/// What the system says of the files of a trust directory, but their content, and of who may change them. Two
/// that differ mean that something was changed; every command of ours that changes a file puts a new one in
/// its place, and so changes its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStamp {
    files: [Option<FileStamp>; 3],
    /// Why nothing in the directory is believed: others may change a file, the directory or one above it. Who
    /// may, changes without a change of any file.
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
