//! Whether a trust directory was changed, without reading it.

use std::path::Path;

use crate::file_stamp::FileStamp;
use crate::trust::directory::{REVOCATIONS_FILE, ROOT_FILE, TRUST_FILE};

/// What the system says of the files of a trust directory, but their content. Two that differ mean that
/// something was changed; every command of ours that changes one puts a new file in its place, and so
/// changes its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStamp {
    files: [Option<FileStamp>; 3],
}

impl DirectoryStamp {
    /// The directory as it is now. Take it before reading the files: what is changed in between then
    /// shows the next time.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self {
            files: [TRUST_FILE, ROOT_FILE, REVOCATIONS_FILE].map(|name| {
                let metadata = std::fs::symlink_metadata(dir.join(name)).ok()?;
                Some(FileStamp::of(&metadata))
            }),
        }
    }
}
