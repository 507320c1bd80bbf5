//! All open connections: bounded in number, and each ended when it is over its time or makes room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connections::progress::{Ending, Progress};
use crate::connections::settings::ConnectionSettings;

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

    /// Ends the connection of the lowest rank, and of those the oldest, for a new one. Returns false where all are busy.
    fn make_room(&self) -> bool {
        let table = self.table();
        let ranked = table
            .open
            .values()
            .filter_map(|progress| Some((progress.rank()?, progress)));
        let Some((_, progress)) = ranked.min_by_key(|(rank, _)| *rank) else {
            return false;
        };
        progress.end(Ending::Abrupt);
        true
    }

    /// Ends each connection that is over its time.
    pub(super) fn sweep(&self) {
        for progress in self.table().open.values() {
            if let Some(ending) = progress.overdue(&self.inner.settings) {
                progress.end(ending);
            }
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
            if let Some(ending) = progress.drained(since) {
                progress.end(ending);
            }
        }
    }

    /// Tells whether the system has not taken all of an answer of some connection.
    pub(super) fn owes(&self) -> bool {
        self.table()
            .open
            .values()
            .any(|progress| progress.is_owed())
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
