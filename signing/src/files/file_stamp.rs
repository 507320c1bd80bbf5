//! Detects changes of a file without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// A file's metadata. Two stamps that differ mean a change; two equal ones do not prove that there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileStamp {
    /// Device and number.
    identity: (u64, u64),
    size: u64,
    mode: u32,
    /// The last change of the content and of the rest, in seconds and nanoseconds.
    times: [(i64, i64); 2],
}

impl FileStamp {
    /// Takes the stamp. Take it before reading the file, so that a change in between shows in the next stamp.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            identity: (metadata.dev(), metadata.ino()),
            size: metadata.size(),
            mode: metadata.mode(),
            times: [
                (metadata.mtime(), metadata.mtime_nsec()),
                (metadata.ctime(), metadata.ctime_nsec()),
            ],
        }
    }
}
