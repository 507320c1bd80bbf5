//! Rows that wait for the thread that writes them, in bounded memory.
//!
//! A permit is taken before work is done and holds room for one row. So a row of a request that was let in always has
//! a place, and a request whose row would have none is not let in.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ampoule_signing::Timestamp;
use ampoule_units::ByteSize;

use crate::anchor::Anchor;
use crate::row::{Event, Line, MAX_CONTENTS_BYTES, MAX_ROW_BYTES, Row};

/// Rows that may wait, with those that permits hold room for.
const MAX_WAITING_ROWS: usize = 8192;

/// Conduct when rows cannot be written, or come faster than they can be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// No permit is given: nothing is done that would not be in the log.
    #[default]
    Refuse,
    /// Rows without room are counted, and the log says how many are missing.
    Continue,
}

/// Settings of the thread.
#[derive(Clone, Copy, Debug)]
pub struct AuditSettings {
    /// Longest time that a row waits for others to be written with.
    pub flush_interval: Duration,
    /// Bytes of rows that are written together at most.
    pub batch_bytes: ByteSize,
    /// Memory of rows that wait.
    pub memory: ByteSize,
    /// Bytes of a request's contents that a row takes; zero for none.
    pub contents: ByteSize,
    /// Conduct when rows cannot be written.
    pub on_failure: OnFailure,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            flush_interval: Duration::from_secs(1),
            batch_bytes: ByteSize::from_bytes(256 << 10),
            memory: ByteSize::from_mib(16),
            contents: ByteSize::from_bytes(0),
            on_failure: OnFailure::default(),
        }
    }
}

/// No room for a row: [`OnFailure::Refuse`] refuses the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written now")]
pub struct Unavailable;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) settings: AuditSettings,
    /// Room that a permit holds.
    pub(crate) row_bytes: usize,
    pub(crate) state: Mutex<State>,
    /// Tells the thread of rows and of the end, and those who wait for the end of it.
    pub(crate) changed: Condvar,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) queue: VecDeque<Line>,
    pub(crate) queued_bytes: usize,
    /// Time at which the first row of the queue came.
    pub(crate) since: Instant,
    pub(crate) permits: usize,
    /// Bytes and rows of the queue, of permits and of the batch that is being written.
    pub(crate) held_bytes: usize,
    pub(crate) held_rows: usize,
    pub(crate) last: Anchor,
    pub(crate) rows: u64,
    pub(crate) lost: u64,
    /// Lost rows that the log does not tell of yet.
    pub(crate) untold: u64,
    pub(crate) failing: Option<&'static str>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    No,
    /// Permits are waited for until then.
    Asked(Instant),
    Done,
}

/// Takes room for one row.
pub(crate) fn reserve(shared: &Arc<Shared>) -> Result<RowPermit, Unavailable> {
    let mut state = shared.lock();
    if state.end == End::Done {
        return Err(Unavailable);
    }
    let memory = usize::try_from(shared.settings.memory.bytes()).unwrap_or(usize::MAX);
    let has_room = state.held_rows < MAX_WAITING_ROWS
        && state.held_bytes.saturating_add(shared.row_bytes) <= memory;
    let may = match shared.settings.on_failure {
        OnFailure::Refuse => has_room && state.failing.is_none(),
        OnFailure::Continue => true,
    };
    if !may {
        return Err(Unavailable);
    }
    if has_room {
        state.held_rows += 1;
        state.held_bytes += shared.row_bytes;
    }
    state.permits += 1;
    drop(state);
    Ok(RowPermit {
        shared: Arc::clone(shared),
        has_room,
        is_used: false,
    })
}

/// Counts a row that is missing.
pub(crate) fn miss(shared: &Shared) {
    let mut state = shared.lock();
    state.lost += 1;
    state.untold += 1;
    drop(state);
    shared.changed.notify_all();
}

/// Room for one row. Dropping it without a row gives the room back.
#[derive(Debug)]
pub struct RowPermit {
    shared: Arc<Shared>,
    has_room: bool,
    is_used: bool,
}

impl RowPermit {
    /// Hands over a row. It waits for nothing, so a drop guard may call it.
    pub fn send(mut self, mut row: Row) {
        let room = self.shared.row_bytes;
        if self.shared.settings.contents.bytes() == 0 {
            row.contents = None;
        }
        let mut line = row.to_line();
        if line.as_ref().is_ok_and(|line| line.len() > room) {
            row.contents = None;
            line = row.to_line();
        }
        self.is_used = true;
        let batch = self.shared.settings.batch_bytes.bytes();
        let mut state = self.shared.lock();
        state.permits = state.permits.saturating_sub(1);
        let is_first = state.queue.is_empty();
        match line {
            Ok(line) if self.has_room && line.len() <= room && state.end != End::Done => {
                if state.queue.is_empty() {
                    state.since = Instant::now();
                }
                state.held_bytes -= room - line.len();
                state.queued_bytes += line.len();
                state.queue.push_back(line);
            }
            _ => {
                if self.has_room {
                    state.held_rows -= 1;
                    state.held_bytes -= room;
                }
                state.lost += 1;
                state.untold += 1;
            }
        }
        // Between the first row of a batch and the last, the thread waits for the time to write.
        let is_awaited = is_first || state.queued_bytes as u64 >= batch || state.end != End::No;
        drop(state);
        if is_awaited {
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for RowPermit {
    fn drop(&mut self) {
        if self.is_used {
            return;
        }
        let mut state = self.shared.lock();
        state.permits = state.permits.saturating_sub(1);
        if self.has_room {
            state.held_rows -= 1;
            state.held_bytes -= self.shared.row_bytes;
        }
        let is_ending = state.end != End::No;
        drop(state);
        if is_ending {
            self.shared.changed.notify_all();
        }
    }
}

impl Shared {
    /// Begins after one row, whose frame is `last`.
    pub(crate) fn new(settings: AuditSettings, last: Anchor) -> Self {
        let contents = usize::try_from(settings.contents.bytes()).unwrap_or(usize::MAX);
        Self {
            settings,
            row_bytes: MAX_ROW_BYTES + contents.min(MAX_CONTENTS_BYTES),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                queued_bytes: 0,
                since: Instant::now(),
                permits: 0,
                held_bytes: 0,
                held_rows: 0,
                last,
                rows: 1,
                lost: 0,
                untold: 0,
                failing: None,
                end: End::No,
            }),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows that are written together.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<Line>,
    pub(crate) held_rows: usize,
    pub(crate) held_bytes: usize,
    /// Lost rows that the first line tells of.
    pub(crate) told: u64,
}

/// Takes the rows that come next, and a row that tells of lost ones.
pub(crate) fn take(state: &mut State, most: usize) -> Batch {
    let mut batch = Batch::default();
    if state.untold > 0 {
        let mut row = Row::new(Event::Lost, Timestamp::now());
        row.lost_rows = Some(state.untold);
        if let Ok(line) = row.to_line() {
            batch.told = state.untold;
            state.untold = 0;
            batch.lines.push(line);
        }
    }
    while let Some(line) = state.queue.front() {
        if batch.held_rows > 0 && batch.held_bytes + line.len() > most {
            break;
        }
        batch.held_rows += 1;
        batch.held_bytes += line.len();
        state.queued_bytes = state.queued_bytes.saturating_sub(line.len());
        batch.lines.extend(state.queue.pop_front());
    }
    batch
}
