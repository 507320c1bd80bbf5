//! Whether a trust directory was changed, without reading it.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::trust::directory::{REVOCATIONS_FILE, ROOT_FILE, TRUST_FILE};

/// What the system says of the files of a trust directory, but their content. Two that differ mean that
/// something was changed; every command of ours that changes one puts a new file in its place, and so
/// changes its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryStamp {
    files: [Option<FileStamp>; 3],
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    /// Device and number.
    identity: (u64, u64),
    size: u64,
    mode: u32,
    /// The last change of the content and of the rest, in seconds and nanoseconds.
    times: [(i64, i64); 2],
}

impl DirectoryStamp {
    /// The directory as it is now. Take it before reading the files: what is changed in between then
    /// shows the next time.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self {
            files: [TRUST_FILE, ROOT_FILE, REVOCATIONS_FILE].map(|name| {
                let metadata = std::fs::symlink_metadata(dir.join(name)).ok()?;
                Some(FileStamp {
                    identity: (metadata.dev(), metadata.ino()),
                    size: metadata.size(),
                    mode: metadata.mode(),
                    times: [
                        (metadata.mtime(), metadata.mtime_nsec()),
                        (metadata.ctime(), metadata.ctime_nsec()),
                    ],
                })
            }),
        }
    }
}
