//! All open connections, and the phase that each is in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::connections::settings::{ConnectionSettings, SILENT_UPLOAD, TAKEN_BYTES};
use crate::request::family::Family;

/// The open connections. Clones are the same ones.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: ConnectionSettings,
    slots: Arc<Semaphore>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: BTreeMap<u64, Arc<Progress>>,
}

/// An open connection's place, which is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    registry: Registry,
    id: u64,
    progress: Arc<Progress>,
    _permit: OwnedSemaphorePermit,
}

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing of a request was read since the last answer.
    Idle,
    /// A request's head is awaited or arriving.
    Head,
    /// A request is answered, and its body arrives.
    Upload,
    /// A request is answered, and its body is over.
    Answer,
    /// The answer is sent, and the rest of the request is thrown away.
    Linger,
}

/// The reason for which a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing is lost: it waits for a request.
    Quiet,
    /// The head did not arrive in time.
    HeadTime,
    /// It holds up what is more important, or its reader takes nothing.
    Abrupt,
}

/// The progress of one connection, as its parts note it.
#[derive(Debug)]
pub(super) struct Progress {
    state: Mutex<State>,
    ending: watch::Sender<Option<Ending>>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// The beginning of the phase; of an upload, the time at which its last bytes came.
    since: Instant,
    family: Family,
    /// The time since which the system takes no bytes, with those that it took since then.
    stalled: Option<(Instant, usize)>,
    /// An answer was begun and the system has not taken all of it.
    is_owed: bool,
    /// A request's body was left unread.
    is_unread: bool,
}

impl Registry {
    pub(super) fn new(settings: ConnectionSettings, connections: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                slots: Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS))),
                settings,
                table: Mutex::default(),
            }),
        }
    }

    /// Takes a slot; where none is free, that of the connection that is missed least, if it goes within `patience`.
    pub(super) async fn enter(&self, patience: Duration) -> Option<Slot> {
        let slots = Arc::clone(&self.inner.slots);
        let permit = match Arc::clone(&slots).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.make_room() => {
                let freed = tokio::time::timeout(patience, slots.acquire_owned());
                freed.await.ok()?.ok()?
            }
            Err(_) => return None,
        };
        let progress = Arc::new(Progress::new());
        let mut table = self.table();
        let id = table.next;
        table.next += 1;
        table.open.insert(id, Arc::clone(&progress));
        drop(table);
        Some(Slot {
            registry: self.clone(),
            id,
            progress,
            _permit: permit,
        })
    }

    /// Ends a connection for a new one: one that lingers, else the oldest whose request has not come, else the one that
    /// is idle the longest, else the upload of which nothing has come for
    /// the longest time. Returns false where all are busy.
    fn make_room(&self) -> bool {
        let table = self.table();
        let found = table.open.values().filter_map(|progress| {
            let state = progress.state();
            let rank = match state.phase {
                _ if progress.ending.borrow().is_some() => return None,
                Phase::Linger => 0,
                // Its last answer is not all sent yet.
                Phase::Head | Phase::Idle if state.is_owed => return None,
                Phase::Head => 1,
                Phase::Idle => 2,
                Phase::Upload if state.since.elapsed() >= SILENT_UPLOAD => 3,
                Phase::Upload | Phase::Answer => return None,
            };
            Some((rank, state.since, progress))
        });
        let found = found.min_by_key(|(rank, since, _)| (*rank, *since));
        let Some((_, _, progress)) = found else {
            return false;
        };
        progress.end(Ending::Abrupt);
        true
    }

    /// Ends each connection that is over its time.
    pub(super) fn sweep(&self) {
        let settings = &self.inner.settings;
        for progress in self.table().open.values() {
            let state = progress.state();
            let is_stalled = state
                .stalled
                .is_some_and(|(since, _)| since.elapsed() >= settings.stall_time);
            let age = state.since.elapsed();
            let ending = match state.phase {
                _ if is_stalled => Ending::Abrupt,
                // Words of a refusal would stand within an answer that is not all sent yet.
                Phase::Head if age >= settings.head_time && !state.is_owed => Ending::HeadTime,
                Phase::Idle if age >= settings.idle_time => Ending::Quiet,
                Phase::Linger if age >= settings.linger_time => Ending::Abrupt,
                _ => continue,
            };
            drop(state);
            progress.end(ending);
        }
    }

    /// Returns the time between two sweeps: a connection is at most a tenth over its time, or a second.
    pub(super) fn sweep_time(&self) -> Duration {
        let settings = &self.inner.settings;
        let times = [
            settings.head_time,
            settings.idle_time,
            settings.stall_time,
            settings.linger_time,
        ];
        let shortest = times.into_iter().min().unwrap_or_default();
        (shortest / 10).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }

    /// Ends each connection that waits for a request since this time or longer.
    pub(super) fn end_waiting(&self, since: Instant) {
        for progress in self.table().open.values() {
            let state = progress.state();
            let is_waiting = matches!(state.phase, Phase::Idle | Phase::Head);
            let is_old = state.since <= since;
            drop(state);
            if is_waiting && is_old {
                progress.end(Ending::Quiet);
            }
        }
    }

    /// Ends all connections, whatever they do.
    pub(super) fn end_all(&self) {
        for progress in self.table().open.values() {
            progress.end(Ending::Abrupt);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        let table = self.inner.table.lock();
        table.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.registry.table().open.remove(&self.id);
    }
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::Head,
                since: Instant::now(),
                family: Family::Native,
                stalled: None,
                is_owed: false,
                is_unread: false,
            }),
            ending: watch::Sender::new(None),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.state();
        if state.phase != phase {
            state.phase = phase;
            state.since = Instant::now();
        }
    }

    /// Notes that a request was read whose body is to come, or is empty.
    pub(super) fn begin(&self, family: Family, has_body: bool) {
        let mut state = self.state();
        state.phase = if has_body {
            Phase::Upload
        } else {
            Phase::Answer
        };
        state.since = Instant::now();
        state.family = family;
        state.is_owed = true;
        state.is_unread = false;
    }

    /// Notes that bytes of a next request are coming.
    pub(super) fn reads(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.phase = Phase::Head;
            state.since = Instant::now();
        }
    }

    /// Notes that bytes of a request's body have come.
    pub(super) fn received(&self) {
        let mut state = self.state();
        if state.phase == Phase::Upload {
            state.since = Instant::now();
        }
    }

    /// Notes that a request's body is over.
    pub(super) fn uploaded(&self) {
        if self.phase() == Phase::Upload {
            self.enter(Phase::Answer);
        }
    }

    pub(super) fn family(&self) -> Family {
        self.state().family
    }

    pub(super) fn set_family(&self, family: Family) {
        self.state().family = family;
    }

    pub(super) fn leave_unread(&self) {
        self.state().is_unread = true;
    }

    pub(super) fn leave_nothing(&self) {
        self.state().is_unread = false;
    }

    pub(super) fn is_unread(&self) -> bool {
        self.state().is_unread
    }

    /// Notes that the system took no bytes, so that it waits for the reader.
    pub(super) fn blocked(&self) {
        let mut state = self.state();
        state.stalled.get_or_insert_with(|| (Instant::now(), 0));
    }

    /// Notes that the system took these bytes.
    pub(super) fn wrote(&self, bytes: usize) {
        let mut state = self.state();
        if let Some((_, taken)) = &mut state.stalled {
            *taken = taken.saturating_add(bytes);
            if *taken >= TAKEN_BYTES {
                state.stalled = None;
            }
        }
    }

    /// Notes that the system took everything.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        state.stalled = None;
        if matches!(state.phase, Phase::Idle | Phase::Head) {
            state.is_owed = false;
        }
    }

    /// Tells whether what is written now belongs to an answer, and not to a refusal of hyper's own.
    pub(super) fn is_owed(&self) -> bool {
        self.state().is_owed
    }

    fn end(&self, ending: Ending) {
        self.ending.send_if_modified(|current| {
            // One that ends quietly may still be ended in another way.
            let is_new = match current {
                None => true,
                Some(Ending::Quiet) => ending != Ending::Quiet,
                Some(_) => false,
            };
            if is_new {
                *current = Some(ending);
            }
            is_new
        });
    }

    /// Waits until somebody ends the connection in another way than the `known` one.
    pub(super) async fn ended(&self, known: Option<Ending>) -> Ending {
        let mut endings = self.ending.subscribe();
        let changed = endings.wait_for(|ending| *ending != known).await;
        // The sender is this.
        changed
            .ok()
            .and_then(|ending| *ending)
            .unwrap_or(Ending::Abrupt)
    }
}
