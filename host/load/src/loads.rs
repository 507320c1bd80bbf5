//! Admission of loads: a bounded number runs, a bounded number waits, and a failure is shared with the loads that wait
//! for it.
//!
//! A load may start a process of [`CompileLimits::memory`](ampoule_sandbox::CompileLimits), and holds the files of a
//! bundle. Only [`Limits::loads`] run at a time. The others wait in order, without a thread and without an open file.
//! Dropping the future of a waiting load leaves the line.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ampoule_sandbox::Limit;
use ampoule_sandbox::limits::Limits;
use ampoule_sandbox::{Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::code::identity::CodeIdentity;

/// Most failures that are remembered for waiting loads: more than there can be loads in the line by default. A host
/// with a longer line forgets some, whose loads then compile again.
const MAX_FAILURES: usize = 1_024;

/// Loads of one host.
pub(crate) struct Loads {
    /// A permit for each load, running or waiting.
    line: Arc<Semaphore>,
    /// A permit for each load that may run.
    lanes: Arc<Semaphore>,
    running: usize,
    waiting: usize,
    is_closed: AtomicBool,
    failures: Arc<Mutex<Failures>>,
}

impl Loads {
    /// Makes the loads of a host. `limits` were checked.
    pub(crate) fn new(limits: &Limits) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            line: permits(limits.loads.saturating_add(limits.waiting_loads)),
            lanes: permits(limits.loads),
            running: limits.loads,
            waiting: limits.waiting_loads,
            is_closed: AtomicBool::new(false),
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
        self.is_closed.store(true, Ordering::SeqCst);
    }

    /// Waits until no load runs or waits.
    pub(crate) async fn all_over(&self) {
        let all = self
            .running
            .saturating_add(self.waiting)
            .min(Semaphore::MAX_PERMITS);
        let all = u32::try_from(all).unwrap_or(u32::MAX);
        // The permits are kept by nobody, and are never closed.
        let _ = self.line.acquire_many(all).await;
    }

    /// Waits for a permit to load; `limit.busy` when too many wait already.
    pub(crate) async fn enter(&self) -> Result<Arc<LoadTurn>> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(Error::Busy {
                limit: None,
                reason: "it is being shut down".to_owned(),
            });
        }
        let line = Arc::clone(&self.line).try_acquire_owned();
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

/// Permit of one load, held until the last clone of its `Arc` is dropped. The thread that loads has a clone, since the
/// caller may stop waiting before that thread notices.
pub(crate) struct LoadTurn {
    ticket: Ticket,
    _line: OwnedSemaphorePermit,
    _lane: OwnedSemaphorePermit,
}

impl LoadTurn {
    /// Returns the error of another load of this code that has failed since this load was requested. A load that is
    /// requested afterwards tries again.
    pub(crate) fn failure(&self, identity: &CodeIdentity) -> Option<Error> {
        let failures = self.ticket.failures();
        let failure = failures.by_code.get(identity)?;
        (self.ticket.number < failure.before).then(|| failure.error.clone())
    }

    /// Records a failure, for all loads of this code that wait already.
    pub(crate) fn failed(&self, identity: &CodeIdentity, error: &Error) {
        // These depend on the moment, so another load may succeed.
        if error.is_retryable() || matches!(error, Error::Bundle(_)) {
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

/// Failures by code, each kept while a load is present that was requested before the failure.
#[derive(Default)]
struct Failures {
    /// Number of the next load.
    next: u64,
    /// Numbers of all loads that run or wait.
    present: BTreeSet<u64>,
    by_code: HashMap<CodeIdentity, Failure>,
}

struct Failure {
    /// Number of the first load that was requested after the failure.
    before: u64,
    error: Error,
}

/// Number of one load, in the order of requests.
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
        // A panic between lock and unlock leaves the failures consistent.
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
