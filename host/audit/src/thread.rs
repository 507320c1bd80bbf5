//! The thread that writes a log, and its handle.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ampoule_signing::Timestamp;

use crate::anchor::Anchor;
use crate::error::{Error, Result};
use crate::row::{Event, Row};
use crate::seal::{MAX_BATCH_BYTES, Sealed};
use crate::storage::Storage;
use crate::waiting::{
    AuditSettings, Batch, End, OnFailure, RowPermit, Shared, State, Unavailable, miss, reserve,
    take,
};
use crate::writer::Writer;

/// Time between two attempts to write.
const RETRY: Duration = Duration::from_secs(1);
/// Time without rows after which a frame shows that the writer lives.
const HEARTBEAT: Duration = Duration::from_secs(60);
/// Time between two notes of the last frame, or of a failure, in the process's own log.
const NOTE_EACH: Duration = Duration::from_secs(60);

/// Handle to the thread. Dropping it ends the thread once all rows are written, and waits for nothing.
#[derive(Debug)]
pub struct Audit {
    shared: Arc<Shared>,
}

/// State of a log, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditState {
    /// Last frame that was written.
    pub last: Anchor,
    /// Rows that this process has written.
    pub rows: u64,
    /// Rows of this process that are missing in the log.
    pub lost: u64,
    /// Rows that wait, with those that permits hold room for.
    pub waiting: usize,
    /// Code of the error, while rows cannot be written.
    pub failing: Option<&'static str>,
}

impl Audit {
    /// Writes a first row and starts the thread.
    ///
    /// # Errors
    ///
    /// Those of [`Writer::append`], `io.failed` where the system gives no thread.
    pub fn start<S: Storage + Send + 'static>(
        mut writer: Writer<S>,
        settings: AuditSettings,
    ) -> Result<Self> {
        let mut first = Row::new(Event::Start, Timestamp::now());
        first.torn_bytes = Some(writer.torn_bytes()).filter(|bytes| *bytes > 0);
        let mut lines = Vec::new();
        first.to_line()?.write(writer.next_row(), &mut lines);
        let sealed = writer.recipients().seal(1, &lines)?;
        writer.append(&sealed, Timestamp::now())?;
        let shared = Arc::new(Shared::new(settings, writer.anchor()));
        let work = Work {
            shared: Arc::clone(&shared),
            writer,
            beat_at: Instant::now() + HEARTBEAT,
            noted: None,
            warned: None,
        };
        thread::Builder::new()
            .name("ampoule-audit".to_owned())
            .spawn(move || work.run())
            .map_err(Error::io("start the thread of the audit log"))?;
        Ok(Self { shared })
    }

    /// Takes room for one row.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where there is no room, or rows cannot be written, and [`OnFailure::Refuse`](crate::OnFailure::Refuse) is set; and after
    /// the end.
    pub fn reserve(&self) -> Result<RowPermit, Unavailable> {
        reserve(&self.shared)
    }

    /// Takes a row of something that happens in any case. Where there is no room for the row, the log says later that one
    /// is missing.
    pub fn record(&self, row: Row) {
        match self.reserve() {
            Ok(permit) => permit.send(row),
            Err(Unavailable) => miss(&self.shared),
        }
    }

    /// Tells whether no permit is given because rows cannot be written.
    #[must_use]
    pub fn is_refusing(&self) -> bool {
        self.shared.settings.on_failure == OnFailure::Refuse && self.shared.lock().failing.is_some()
    }

    /// Returns the last frame that was written.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.shared.lock().last
    }

    /// Returns the state of the log.
    #[must_use]
    pub fn state(&self) -> AuditState {
        let state = self.shared.lock();
        AuditState {
            last: state.last,
            rows: state.rows,
            lost: state.lost,
            waiting: state.held_rows,
            failing: state.failing,
        }
    }

    /// Ends the log: waits for all permits and rows, for `patience` at most. Returns false where the time was too short
    /// or the rows could not be written.
    pub fn close(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut state = self.shared.lock();
        if state.end == End::No {
            state.end = End::Asked(until);
        }
        self.shared.changed.notify_all();
        // The thread gives up by itself then, but may hang in a write.
        let late = until + RETRY;
        while state.end != End::Done {
            let left = late.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.failing.is_none() && state.held_rows == 0
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.end == End::No {
            state.end = End::Asked(Instant::now() + RETRY);
        }
        self.shared.changed.notify_all();
    }
}

/// The thread's own part.
struct Work<S> {
    shared: Arc<Shared>,
    writer: Writer<S>,
    /// Time at which a frame without rows is due.
    beat_at: Instant,
    /// Time of the last note of the last frame, and the frame's segment.
    noted: Option<(Instant, u64)>,
    /// Time of the last warning.
    warned: Option<Instant>,
}

/// A step of the thread.
enum Step {
    Write(Batch),
    Heartbeat,
    Close,
}

/// Drop guard: however the thread ends, nobody waits for it any longer.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if thread::panicking() {
            state.failing = Some("internal.bug");
        }
        state.end = End::Done;
        drop(state);
        self.0.changed.notify_all();
    }
}

impl<S: Storage> Work<S> {
    fn run(mut self) {
        let _ended = Ended(Arc::clone(&self.shared));
        loop {
            match self.next_step() {
                Step::Write(batch) => {
                    // The end does not wait for rows any longer: none is tried again.
                    if !self.write(&batch) {
                        self.give_up();
                        return;
                    }
                }
                Step::Heartbeat => {
                    let beaten = self.writer.heartbeat(Timestamp::now());
                    self.beat_at = Instant::now() + if beaten.is_ok() { HEARTBEAT } else { RETRY };
                    self.tell(beaten);
                }
                Step::Close => {
                    self.close();
                    return;
                }
            }
        }
    }

    /// Waits for something to do.
    fn next_step(&self) -> Step {
        let settings = &self.shared.settings;
        let most = usize::try_from(settings.batch_bytes.bytes())
            .unwrap_or(usize::MAX)
            .min(MAX_BATCH_BYTES / 2);
        let mut state = self.shared.lock();
        loop {
            let now = Instant::now();
            let has_rows = !state.queue.is_empty() || state.untold > 0;
            let is_due = has_rows
                && (state.end != End::No
                    || state.queued_bytes >= most
                    || now.duration_since(state.since) >= settings.flush_interval);
            if is_due {
                return Step::Write(take(&mut state, most));
            }
            let is_over = match state.end {
                End::No => false,
                End::Asked(until) => state.permits == 0 || now >= until,
                End::Done => true,
            };
            if is_over {
                return Step::Close;
            }
            let beat = self.beat_at.saturating_duration_since(now);
            if beat.is_zero() && !has_rows {
                return Step::Heartbeat;
            }
            let mut wait = if has_rows {
                let flush = state.since + settings.flush_interval;
                flush.saturating_duration_since(now)
            } else {
                beat
            };
            if let End::Asked(until) = state.end {
                wait = wait.min(until.saturating_duration_since(now));
            }
            state = self.wait(state, wait);
        }
    }

    fn wait<'s>(&'s self, state: MutexGuard<'s, State>, time: Duration) -> MutexGuard<'s, State> {
        let waited = self.shared.changed.wait_timeout(state, time);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Writes rows, and tries again until they are on disk or the end does not wait for them any longer. Returns false
    /// then.
    fn write(&mut self, batch: &Batch) -> bool {
        let mut lines = Vec::with_capacity(batch.held_bytes + 32 * batch.lines.len());
        for (line, number) in batch.lines.iter().zip(self.writer.next_row()..) {
            line.write(number, &mut lines);
        }
        let count = u32::try_from(batch.lines.len()).unwrap_or(u32::MAX);
        let mut sealed = None;
        let is_written = loop {
            let written = self.try_write(count, &lines, &mut sealed);
            let is_written = written.is_ok();
            self.tell(written);
            if is_written || self.is_given_up() {
                break is_written;
            }
        };
        let mut state = self.shared.lock();
        state.held_rows = state.held_rows.saturating_sub(batch.held_rows);
        state.held_bytes = state.held_bytes.saturating_sub(batch.held_bytes);
        if is_written {
            state.rows += u64::from(count);
        } else {
            state.lost += batch.held_rows as u64;
            state.untold += batch.held_rows as u64 + batch.told;
        }
        is_written
    }

    /// Ends with rows that wait: they are lost.
    fn give_up(&self) {
        let mut state = self.shared.lock();
        let rows = state.queue.len();
        state.held_rows = state.held_rows.saturating_sub(rows);
        state.held_bytes = state.held_bytes.saturating_sub(state.queued_bytes);
        state.lost += rows as u64;
        state.queued_bytes = 0;
        state.queue.clear();
        // A row that comes from now on is lost, too.
        state.end = End::Done;
    }

    fn try_write(&mut self, count: u32, lines: &[u8], sealed: &mut Option<Sealed>) -> Result<()> {
        let ready = match sealed.take() {
            Some(ready) => ready,
            None => self.writer.recipients().seal(count, lines)?,
        };
        let written = self.writer.append(&ready, Timestamp::now());
        *sealed = Some(ready);
        written
    }

    /// Waits for the next attempt. Returns true when the end waits for none.
    fn is_given_up(&self) -> bool {
        let next = Instant::now() + RETRY;
        let mut state = self.shared.lock();
        loop {
            let now = Instant::now();
            let mut left = next.saturating_duration_since(now);
            if let End::Asked(until) = state.end {
                if now >= until {
                    return true;
                }
                left = left.min(until.saturating_duration_since(now));
            }
            if left.is_zero() {
                return false;
            }
            state = self.wait(state, left);
        }
    }

    /// Writes the last row and the last frame.
    fn close(&mut self) {
        let is_failing = self.shared.lock().failing.is_some();
        if !is_failing {
            let closed = self.try_close();
            self.tell(closed);
        }
    }

    fn try_close(&mut self) -> Result<()> {
        let mut lines = Vec::new();
        let row = Row::new(Event::Stop, Timestamp::now());
        row.to_line()?.write(self.writer.next_row(), &mut lines);
        self.try_write(1, &lines, &mut None)?;
        self.shared.lock().rows += 1;
        self.writer.close(Timestamp::now())
    }

    /// Tells others of an attempt to write.
    fn tell(&mut self, attempt: Result<()>) {
        let now = Instant::now();
        let is_old = |time: Instant| now.duration_since(time) >= NOTE_EACH;
        let mut state = self.shared.lock();
        match attempt {
            Ok(()) => {
                let last = self.writer.anchor();
                state.failing = None;
                state.last = last;
                drop(state);
                self.beat_at = now + HEARTBEAT;
                self.warned = None;
                let is_noted = self
                    .noted
                    .is_some_and(|(time, segment)| segment == last.segment && !is_old(time));
                if !is_noted {
                    self.noted = Some((now, last.segment));
                    tracing::info!(target: "ampoule::audit", anchor = %last, "audit log");
                }
            }
            Err(error) => {
                state.failing = Some(error.code());
                drop(state);
                if self.warned.is_none_or(is_old) {
                    self.warned = Some(now);
                    tracing::warn!(target: "ampoule::audit", code = error.code(), "the audit log cannot be written: {error}");
                }
            }
        }
    }
}
