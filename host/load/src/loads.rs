//! Loads: how many there are at once, how many wait, and what those are told that wait for one that fails.
//!
//! A load may start a process of [`CompileLimits::memory`](crate::CompileLimits), and holds the files of a bundle.
//! So only some run at a time. The others wait in order, without a thread and with nothing opened; whoever
//! stops waiting leaves the line.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ampoule_sandbox::Limit;
use ampoule_sandbox::limits::Limits;
use ampoule_sandbox::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::code::identity::CodeIdentity;

/// The most failures that are remembered for those who wait: more than there can be loads in the line by default.
const MAX_FAILURES: usize = 1_024;

/// The loads of one host.
pub(crate) struct Loads {
    /// A permit for each load, running or waiting.
    line: Arc<Semaphore>,
    /// A permit for each that may run.
    lanes: Arc<Semaphore>,
    running: usize,
    waiting: usize,
    failures: Arc<Mutex<Failures>>,
}

impl Loads {
    /// The loads of a host with these limits, which were checked.
    pub(crate) fn new(limits: &Limits) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            line: permits(limits.loads.saturating_add(limits.waiting_loads)),
            lanes: permits(limits.loads),
            running: limits.loads,
            waiting: limits.waiting_loads,
            failures: Arc::default(),
        }
    }

    /// Returns how many loads there are at the moment.
    pub(crate) fn counters(&self) -> LoadCounters {
        let taken = |permits: &Semaphore, all: usize| {
            all.min(Semaphore::MAX_PERMITS)
                .saturating_sub(permits.available_permits())
        };
        let running = taken(&self.lanes, self.running);
        let all = taken(&self.line, self.running.saturating_add(self.waiting));
        LoadCounters {
            running,
            waiting: all.saturating_sub(running),
        }
    }

    /// Accepts no load from now on. Those that were accepted go on.
    pub(crate) fn close(&self) {
        self.line.close();
    }

    /// Waits for the turn of a load. `limit.busy` when too many wait already.
    pub(crate) async fn enter(&self) -> Result<Arc<LoadTurn>> {
        let line = Arc::clone(&self.line).try_acquire_owned();
        if self.line.is_closed() {
            return Err(Error::Busy {
                limit: None,
                reason: "it is being shut down".to_owned(),
            });
        }
        let line = line.map_err(|_| Error::Busy {
            limit: Some(Limit::WaitingLoads),
            reason: format!(
                "{} models are being loaded and {} loads wait, as many as `loads` and \
                 `waiting_loads` allow",
                self.running, self.waiting
            ),
        })?;
        let ticket = Ticket::take(&self.failures);
        let lane = Arc::clone(&self.lanes).acquire_owned().await;
        let lane = lane.map_err(|_| Error::internal("there are no lanes for loads"))?;
        Ok(Arc::new(LoadTurn {
            ticket,
            _line: line,
            _lane: lane,
        }))
    }
}

/// Loads of a loader at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadCounters {
    /// Loads that work.
    pub running: usize,
    /// Loads that wait for their turn.
    pub waiting: usize,
}

/// The turn of one load, until the last clone of its `Arc` is dropped: whoever waits for the model may go before
/// the thread that works on it has noticed.
pub(crate) struct LoadTurn {
    ticket: Ticket,
    _line: OwnedSemaphorePermit,
    _lane: OwnedSemaphorePermit,
}

impl LoadTurn {
    /// Returns what making this code has failed with since this load was asked for. A load that was asked for
    /// afterwards tries again.
    pub(crate) fn failure(&self, identity: &CodeIdentity) -> Option<Error> {
        let failures = self.ticket.failures();
        let failure = failures.by_code.get(identity)?;
        (self.ticket.number < failure.before).then(|| failure.error.clone())
    }

    /// Has all who wait already for this code be told that it failed.
    pub(crate) fn failed(&self, identity: &CodeIdentity, error: &Error) {
        // Another load may find trust, or a place, in order.
        if matches!(
            error,
            Error::Busy { .. } | Error::Bundle(_) | Error::TrustUnread(_)
        ) {
            return;
        }
        let mut failures = self.ticket.failures();
        if failures.by_code.len() >= MAX_FAILURES {
            let any = failures.by_code.keys().next().copied();
            any.and_then(|any| failures.by_code.remove(&any));
        }
        let before = failures.next;
        let error = error.clone();
        failures
            .by_code
            .insert(*identity, Failure { before, error });
    }
}

/// Failures of code, each kept while there is a load that was asked for before the failure.
#[derive(Default)]
struct Failures {
    /// The number of the next load.
    next: u64,
    /// The numbers of all that run or wait.
    present: BTreeSet<u64>,
    by_code: HashMap<CodeIdentity, Failure>,
}

struct Failure {
    /// The number of the first load that was asked for afterwards.
    before: u64,
    error: Error,
}

/// The place of one load in the order in which they were asked for.
struct Ticket {
    number: u64,
    failures: Arc<Mutex<Failures>>,
}

impl Ticket {
    fn take(failures: &Arc<Mutex<Failures>>) -> Self {
        let mut ticket = Self {
            number: 0,
            failures: Arc::clone(failures),
        };
        let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
        ticket.number = failures.next;
        failures.next += 1;
        failures.present.insert(ticket.number);
        drop(failures);
        ticket
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        // Nothing between lock and unlock leaves them half-changed.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut failures = self.failures();
        failures.present.remove(&self.number);
        let oldest = failures.present.first().copied();
        failures
            .by_code
            .retain(|_, failure| oldest.is_some_and(|oldest| oldest < failure.before));
    }
}
