//! The storage on disk: one directory for the segments, another for the state. Only the owner looks into either.

use std::fs::File;
use std::io::{self, Read, Write as _};

use ampoule_signing::{Location, PrivateDirectory};

use crate::error::{Error, Result};
use crate::log_directory::{PUBLIC_KEY_FILE, segment_name, segment_of};
use crate::storage::{LogSource, StateFile, Storage};

/// The file that a writer locks.
const LOCK_FILE: &str = "lock";
/// Bytes of a file of the state that are read, which are more than it may have.
const MAX_STATE_BYTES: u64 = 4096;

/// Directories of one log, locked for this process.
#[derive(Debug)]
pub struct Disk {
    log: PrivateDirectory,
    state: PrivateDirectory,
    open: Option<OpenSegment>,
    _lock: File,
}

/// Segment that is being written.
#[derive(Debug)]
struct OpenSegment {
    number: u64,
    file: File,
    /// Set once its name survives a power cut.
    is_named: bool,
}

impl Disk {
    /// Opens the directories of a log and of its state, and makes those that are missing, for their owner alone.
    ///
    /// # Errors
    ///
    /// `audit.in-use` where another process writes the log; `trust.owner` and `trust.permissions` where others may look
    /// into a directory or change it, or one above it; `io.failed`.
    pub fn open<'p>(log: impl Into<Location<'p>>, state: impl Into<Location<'p>>) -> Result<Self> {
        let log = PrivateDirectory::make(log, "the directory of the audit log")?;
        let state = PrivateDirectory::make(state, "the state directory of the audit log")?;
        let lock = state
            .open_append(LOCK_FILE)
            .map_err(Error::io("lock the state of the audit log"))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => Error::InUse,
            std::fs::TryLockError::Error(error) => {
                Error::io("lock the state of the audit log")(error)
            }
        })?;
        Ok(Self {
            log,
            state,
            open: None,
            _lock: lock,
        })
    }

    fn segment(&mut self, number: u64) -> io::Result<&mut OpenSegment> {
        if self.open.as_ref().is_none_or(|open| open.number != number) {
            self.open = Some(OpenSegment {
                number,
                file: self.log.open_append(&segment_name(number))?,
                is_named: false,
            });
        }
        self.open
            .as_mut()
            .ok_or_else(|| io::Error::other("no segment"))
    }
}

impl LogSource for Disk {
    fn segments(&self) -> io::Result<Vec<u64>> {
        let names = self.log.names().map_err(io::Error::other)?;
        let mut numbers: Vec<_> = names.iter().filter_map(|name| segment_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn open(&self, segment: u64) -> io::Result<(Box<dyn Read + '_>, u64)> {
        let opened = self.log.open_file(&segment_name(segment));
        let (file, length) = opened
            .map_err(io::Error::other)?
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok((
            Box::new(io::BufReader::with_capacity(64 << 10, file)),
            length,
        ))
    }
}

impl Storage for Disk {
    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.segment(segment)?.file.write_all(bytes)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        let open = self.segment(segment)?;
        open.file.sync_data()?;
        if !open.is_named {
            self.log.sync()?;
            self.segment(segment)?.is_named = true;
        }
        Ok(())
    }

    fn truncate(&mut self, segment: u64, length: u64) -> io::Result<()> {
        self.segment(segment)?.file.set_len(length)
    }

    fn publish(&mut self, pem: &str) -> io::Result<()> {
        self.log
            .put_durably(PUBLIC_KEY_FILE, |file| file.write_all(pem.as_bytes()))
    }

    fn state(&self, file: StateFile) -> io::Result<Option<Vec<u8>>> {
        let opened = self
            .state
            .open_file(file.name())
            .map_err(io::Error::other)?;
        let Some((opened, _)) = opened else {
            return Ok(None);
        };
        // Enough from the start: a buffer that grows leaves copies of a key behind.
        let mut bytes = Vec::with_capacity(MAX_STATE_BYTES as usize + 1);
        opened.take(MAX_STATE_BYTES).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn put_state(&mut self, file: StateFile, bytes: &[u8]) -> io::Result<()> {
        self.state
            .put_durably(file.name(), |opened| opened.write_all(bytes))
    }

    fn advance_key(&mut self) -> io::Result<()> {
        self.state
            .rename_durably(StateFile::NextKey.name(), StateFile::Key.name())
    }

    fn remove_state(&mut self, file: StateFile) -> io::Result<()> {
        self.state.remove(file.name())
    }
}
