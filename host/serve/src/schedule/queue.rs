//! The bounded queue of requests that wait for a thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use crate::schedule::chores::Chores;

/// The end of a job's wait.
pub(super) enum Turn {
    /// Its time has come. It runs on the thread that begins it.
    Run,
    /// Its time was up while it waited.
    Expired,
}

/// A job that has begun. It stays on its thread, whose clock it waits by.
pub(super) type Running = Pin<Box<dyn Future<Output = ()>>>;

/// Work that waits for a thread.
pub(super) struct Job {
    /// When it was asked for.
    pub(super) since: Instant,
    pub(super) expires: Instant,
    pub(super) cancelled: CancellationToken,
    pub(super) begin: Box<dyn FnOnce(Turn) -> Option<Running> + Send>,
}

impl Job {
    /// Begins the job, or gives it up. `None` when that was the end of it. A panic is a bug of ours or of the
    /// engine; the thread survives it, and the caller is told `internal.bug`.
    pub(super) fn begin(self, turn: Turn) -> Option<Running> {
        let begun = catch_unwind(AssertUnwindSafe(|| {
            if self.cancelled.is_cancelled() {
                // Within the guard, because a job may hold a sandbox.
                drop(self);
                return None;
            }
            (self.begin)(turn)
        }));
        begun.ok().flatten()
    }
}

/// A worker that found nothing to do.
pub(super) struct Idle {
    pub(super) waker: Waker,
    /// It may begin a new request, too: no other that it has begun waits for something.
    pub(super) takes_new: bool,
}

#[derive(Default)]
pub(super) struct Queue {
    /// Requests that have not begun, the oldest first.
    pub(super) new: VecDeque<Job>,
    /// Next steps of requests that have, the oldest first.
    pub(super) continued: VecDeque<Job>,
    /// The workers that wait, each in the place of its number. A worker empties its place before it looks for
    /// a job, so that nobody is woken who is up already while another sleeps.
    pub(super) idle: Vec<Option<Idle>>,
    pub(super) chores: Chores,
    /// Jobs that have begun and are not over.
    pub(super) running: usize,
    pub(super) is_closed: bool,
}

impl Queue {
    pub(super) fn of(&mut self, urgency: Urgency) -> &mut VecDeque<Job> {
        match urgency {
            Urgency::New => &mut self.new,
            Urgency::Continued => &mut self.continued,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.continued.is_empty()
    }

    /// Takes out the waker of a worker that can do such a job at once, if there is one: rather one that does
    /// nothing else.
    pub(super) fn idle_worker(&mut self, urgency: Urgency) -> Option<Waker> {
        let takes_new = |idle: &Option<Idle>| idle.as_ref().is_some_and(|idle| idle.takes_new);
        let place = self.idle.iter().position(takes_new).or_else(|| {
            let any = || self.idle.iter().position(Option::is_some);
            (urgency == Urgency::Continued).then(any).flatten()
        })?;
        self.idle[place].take().map(|idle| idle.waker)
    }
}

pub(super) struct Shared {
    pub(super) queue: Mutex<Queue>,
    pub(super) capacity: usize,
    /// There is something to tick for, or the queue was closed: for the clock.
    pub(super) is_busy: Condvar,
    /// There is something to wait for, or the queue was closed: for the reaper.
    pub(super) changed: Condvar,
}

impl Shared {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            queue: Mutex::default(),
            capacity,
            is_busy: Condvar::new(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code that can panic runs while the lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The two kinds of jobs. Where both wait, threads take them by turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A new request: refused with `limit.busy` when the queue is full.
    New,
    /// The next step of a request that has a place for its sandbox already. Refusing it would throw away what was
    /// done; how many there can be is bounded by the sandboxes.
    Continued,
}
