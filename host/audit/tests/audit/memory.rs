//! A storage in memory that stops at any byte, or fails at any step.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex};

use ampoule_audit::{LogSource, StateFile, Storage};

/// `ENOSPC`.
const NO_SPACE: i32 = 28;
/// `EIO`.
const BROKEN: i32 = 5;

/// Way in which one step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing is done.
    Before,
    /// Half of the bytes are written, as on a disk that becomes full. Other steps do nothing.
    Halfway,
    /// All is done, and the system says that it is not.
    After,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) segments: BTreeMap<u64, Vec<u8>>,
    pub(crate) state: BTreeMap<StateFile, Vec<u8>>,
    pub(crate) published: Option<String>,
    /// Bytes and steps until the power fails; `None` for never.
    pub(crate) power: Option<usize>,
    /// Bytes and steps so far.
    pub(crate) spent: usize,
    /// Step that fails, counted down to zero.
    pub(crate) fails: Option<(usize, Failure)>,
    /// Set while every byte that is written is one too many.
    pub(crate) is_full: bool,
    pub(crate) steps: usize,
}

impl Memory {
    /// Returns its content, with power and without failures.
    pub(crate) fn restarted(&self) -> Self {
        Self {
            segments: self.segments.clone(),
            state: self.state.clone(),
            published: self.published.clone(),
            ..Self::default()
        }
    }

    /// Spends up to `wanted` of the power.
    fn spend(&mut self, wanted: usize) -> usize {
        let spent = self.power.map_or(wanted, |left| left.min(wanted));
        self.power = self.power.map(|left| left - spent);
        self.spent += spent;
        spent
    }

    fn failure(&mut self) -> Option<Failure> {
        self.steps += 1;
        let (left, failure) = self.fails?;
        self.fails = (left > 0).then(|| (left - 1, failure));
        (left == 0).then_some(failure)
    }

    /// A step that is done whole or not at all.
    fn step(&mut self, act: impl FnOnce(&mut Self)) -> io::Result<()> {
        match self.failure() {
            Some(Failure::Before | Failure::Halfway) => {
                return Err(io::Error::from_raw_os_error(BROKEN));
            }
            Some(Failure::After) => {
                act(self);
                return Err(io::Error::from_raw_os_error(BROKEN));
            }
            None => {}
        }
        if self.spend(1) == 0 {
            return Err(io::Error::other("no power"));
        }
        act(self);
        Ok(())
    }
}

impl LogSource for Memory {
    fn segments(&self) -> io::Result<Vec<u64>> {
        Ok(self.segments.keys().copied().collect())
    }

    fn open(&self, segment: u64) -> io::Result<(Box<dyn Read + '_>, u64)> {
        let bytes = self.segments.get(&segment).ok_or(io::ErrorKind::NotFound)?;
        Ok((Box::new(Cursor::new(bytes)), bytes.len() as u64))
    }
}

impl Storage for Memory {
    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        if !self.segments.contains_key(&segment) {
            if self.spend(1) == 0 {
                return Err(io::Error::other("no power"));
            }
            self.segments.insert(segment, Vec::new());
        }
        let failure = self.failure();
        let most = match failure {
            Some(Failure::Before) => 0,
            Some(Failure::Halfway) => bytes.len() / 2,
            _ if self.is_full => bytes.len() / 3,
            _ => bytes.len(),
        };
        let count = self.spend(most);
        self.segments
            .get_mut(&segment)
            .unwrap()
            .extend_from_slice(&bytes[..count]);
        if failure.is_some() || count < bytes.len() {
            return Err(io::Error::from_raw_os_error(NO_SPACE));
        }
        Ok(())
    }

    fn sync(&mut self, _segment: u64) -> io::Result<()> {
        self.step(|_| {})
    }

    fn truncate(&mut self, segment: u64, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).unwrap();
        self.step(|memory| memory.segments.get_mut(&segment).unwrap().truncate(length))
    }

    fn publish(&mut self, pem: &str) -> io::Result<()> {
        self.step(|memory| memory.published = Some(pem.to_owned()))
    }

    fn state(&self, file: StateFile) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&file).cloned())
    }

    fn put_state(&mut self, file: StateFile, bytes: &[u8]) -> io::Result<()> {
        if self.is_full {
            return Err(io::Error::from_raw_os_error(NO_SPACE));
        }
        self.step(|memory| {
            memory.state.insert(file, bytes.to_vec());
        })
    }

    fn advance_key(&mut self) -> io::Result<()> {
        self.step(|memory| {
            let next = memory.state.remove(&StateFile::NextKey).unwrap();
            memory.state.insert(StateFile::Key, next);
        })
    }

    fn remove_state(&mut self, file: StateFile) -> io::Result<()> {
        self.step(|memory| {
            memory.state.remove(&file);
        })
    }
}

/// A storage that a test looks at while a writer has it.
#[derive(Clone, Default)]
pub(crate) struct Shared(pub(crate) Arc<Mutex<Memory>>);

impl LogSource for Shared {
    fn segments(&self) -> io::Result<Vec<u64>> {
        self.0.lock().unwrap().segments()
    }

    fn open(&self, segment: u64) -> io::Result<(Box<dyn Read + '_>, u64)> {
        let memory = self.0.lock().unwrap();
        let bytes = memory
            .segments
            .get(&segment)
            .ok_or(io::ErrorKind::NotFound)?;
        let length = bytes.len() as u64;
        Ok((Box::new(Cursor::new(bytes.clone())), length))
    }
}

impl Storage for Shared {
    fn append(&mut self, segment: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().append(segment, bytes)
    }

    fn sync(&mut self, segment: u64) -> io::Result<()> {
        self.0.lock().unwrap().sync(segment)
    }

    fn truncate(&mut self, segment: u64, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().truncate(segment, length)
    }

    fn publish(&mut self, pem: &str) -> io::Result<()> {
        self.0.lock().unwrap().publish(pem)
    }

    fn state(&self, file: StateFile) -> io::Result<Option<Vec<u8>>> {
        self.0.lock().unwrap().state(file)
    }

    fn put_state(&mut self, file: StateFile, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().put_state(file, bytes)
    }

    fn advance_key(&mut self) -> io::Result<()> {
        self.0.lock().unwrap().advance_key()
    }

    fn remove_state(&mut self, file: StateFile) -> io::Result<()> {
        self.0.lock().unwrap().remove_state(file)
    }
}
