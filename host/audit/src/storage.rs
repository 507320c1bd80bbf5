//! Places that a log is kept in: the segments, and the state of the writer.

use std::io::{self, Read};

/// Segments that can be read.
pub trait LogSource {
    /// Lists the numbers of the segments, sorted.
    ///
    /// # Errors
    ///
    /// The system's.
    fn segments(&self) -> io::Result<Vec<u64>>;

    /// Opens a segment, and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// The system's.
    fn open(&self, segment: u64) -> io::Result<(Box<dyn Read + '_>, u64)>;
}

/// Files of a writer's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateFile {
    /// Private key of the segment that is written.
    Key,
    /// Private key of the next segment, until it takes its place.
    NextKey,
    /// The last frame that is known to be on disk.
    Head,
}

impl StateFile {
    /// Returns the file's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "signing-key",
            Self::NextKey => "signing-key.next",
            Self::Head => "head",
        }
    }
}

/// Segments that can be written, and the writer's state. When a call fails, the writer looks again at all that is
/// there, as it does after a crash.
pub trait Storage: LogSource {
    /// Adds bytes to the end of a segment, which is made if it is not there. When it fails, some of them may have been
    /// added.
    ///
    /// # Errors
    ///
    /// The system's.
    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()>;

    /// Waits until a segment, and its name, will survive a power cut.
    ///
    /// # Errors
    ///
    /// The system's.
    fn sync(&mut self, segment: u64) -> io::Result<()>;

    /// Cuts a segment off after `length` bytes.
    ///
    /// # Errors
    ///
    /// The system's.
    fn truncate(&mut self, segment: u64, length: u64) -> io::Result<()>;

    /// Puts the first segment's public key beside the segments.
    ///
    /// # Errors
    ///
    /// The system's.
    fn publish(&mut self, pem: &str) -> io::Result<()>;

    /// Reads a file of the state, and no more than a few kilobytes; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// The system's.
    fn state(&self, file: StateFile) -> io::Result<Option<Vec<u8>>>;

    /// Puts a file of the state into place, whole or not at all, also across a power cut.
    ///
    /// # Errors
    ///
    /// The system's.
    fn put_state(&mut self, file: StateFile, bytes: &[u8]) -> io::Result<()>;

    /// Puts the next key into the place of the key, also across a power cut.
    ///
    /// # Errors
    ///
    /// The system's.
    fn advance_key(&mut self) -> io::Result<()>;

    /// Removes a file of the state. A missing file is no error.
    ///
    /// # Errors
    ///
    /// The system's.
    fn remove_state(&mut self, file: StateFile) -> io::Result<()>;
}
