//! The bounded queue of requests that wait for a thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Instant;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::schedule::chores::Chores;
use crate::schedule::fair_queue::FairQueue;

/// The end of a job's wait.
pub(super) enum Turn {
    /// Its time has come. It runs on the thread that begins it.
    Run,
    /// Its time was up while it waited.
    Expired,
    /// Its place went to a tenant that waits with less.
    GivenWay,
}

/// The caller that a job counts for; `None` for all callers without a name together.
pub(crate) type Tenant = Option<Arc<str>>;

/// A job that has begun. It stays on its thread, whose clock it waits by.
pub(super) type Running = Pin<Box<dyn Future<Output = ()>>>;

/// Work that waits for a thread.
pub(super) struct Job {
    /// When it was asked for.
    pub(super) since: Instant,
    pub(super) expires: Instant,
    pub(super) cancelled: CancellationToken,
    pub(super) tenant: Tenant,
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
    /// Requests that have not begun.
    pub(super) new: FairQueue<Tenant, Job>,
    /// Next steps of requests that have, the oldest first.
    pub(super) continued: VecDeque<Job>,
    /// The workers that wait, each in the place of its number. A worker empties its place before it looks for
    /// a job, so that nobody is woken who is up already while another sleeps.
    pub(super) idle: Vec<Option<Idle>>,
    pub(super) chores: Chores,
    /// Jobs that have begun and are not over.
    pub(super) running: usize,
    /// New requests among them.
    pub(super) running_new: usize,
    /// The time until which the reaper sleeps by itself; `None` while it does not.
    pub(super) reaper_wakes: Option<Instant>,
    /// Counts the looks of the reaper at the queue.
    #[cfg(test)]
    pub(super) looks: u64,
    /// No new request is accepted any more.
    pub(super) is_draining: bool,
    pub(super) is_closed: bool,
}

impl Queue {
    pub(super) fn push(&mut self, urgency: Urgency, job: Job) {
        match urgency {
            Urgency::New => self.new.push(job.tenant.clone(), job),
            Urgency::Continued => self.continued.push_back(job),
        }
    }

    /// Returns when the job that is next of its kind was asked for.
    pub(super) fn next_since(&self, urgency: Urgency) -> Option<Instant> {
        let next = match urgency {
            Urgency::New => self.new.front(),
            Urgency::Continued => self.continued.front(),
        };
        next.map(|job| job.since)
    }

    pub(super) fn pop(&mut self, urgency: Urgency) -> Option<Job> {
        match urgency {
            Urgency::New => self.new.pop(),
            Urgency::Continued => self.continued.pop_front(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty() && self.continued.is_empty()
    }

    /// Counts a job that begins.
    pub(super) fn begun(&mut self, urgency: Urgency) {
        self.running += 1;
        self.running_new += usize::from(urgency == Urgency::New);
    }

    /// Counts a job that is over.
    pub(super) fn ended(&mut self, urgency: Urgency) {
        self.running -= 1;
        self.running_new -= usize::from(urgency == Urgency::New);
    }

    /// Tells whether there is no new request, waiting or running.
    pub(super) fn has_no_new(&self) -> bool {
        self.new.is_empty() && self.running_new == 0
    }

    /// Returns when the first of the waiting jobs expires.
    pub(super) fn first_expiry(&self) -> Option<Instant> {
        let jobs = self.new.iter().chain(&self.continued);
        jobs.map(|job| job.expires).min()
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
    /// Told when the last new request is over.
    pub(super) no_new: Notify,
}

impl Shared {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            queue: Mutex::default(),
            capacity,
            is_busy: Condvar::new(),
            changed: Condvar::new(),
            no_new: Notify::new(),
        }
    }

    /// Counts a job that is over, and tells whoever waits for that.
    pub(super) fn job_ended(&self, urgency: Urgency) {
        self.lock().ended(urgency);
        self.tell_if_no_new();
    }

    /// Tells whoever waits for it that there is no new request any more, if that is so.
    pub(super) fn tell_if_no_new(&self) {
        // A waker is an embedder's code, which runs without the lock.
        let has_no_new = self.lock().has_no_new();
        if has_no_new {
            self.no_new.notify_waiters();
        }
    }

    /// Has the reaper look at all jobs, such as after one was cancelled.
    pub(super) fn wake_reaper(&self) {
        // A reaper that looks at this moment goes to sleep before this takes the lock, and is woken.
        drop(self.lock());
        self.changed.notify_one();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code that can panic runs while the lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The two kinds of jobs. Where both wait, continued ones come first, within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A new request: refused with `limit.busy` when the queue is full.
    New,
    /// The next step of a request that has a place for its sandbox already. Refusing it would throw away what was
    /// done; how many there can be is bounded by the sandboxes.
    Continued,
}
