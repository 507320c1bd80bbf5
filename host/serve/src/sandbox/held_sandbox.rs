//! A generation's sandbox between two calls, and the time that it is kept for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ampoule_sandbox::imports::guest_log::LogSink;

use crate::sandbox::request_sandbox::Sandbox;

/// A generation's sandbox between two calls.
pub(crate) struct HeldSandbox {
    place: Mutex<Place>,
    expires: Instant,
    idle: Duration,
    log: LogSink,
}

struct Place {
    /// Empty while a call runs, after one failed, and when the time is up.
    sandbox: Option<Sandbox>,
    /// When the sandbox was put here.
    since: Instant,
    end: Option<End>,
}

/// The reason that no sandbox is held any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The request's deadline has passed.
    Deadline,
    /// Nobody asked for the next call.
    Idle,
    /// Nobody waited for a call to its end.
    Abandoned,
}

impl HeldSandbox {
    /// Until `expires`, and `idle` between two calls at most.
    pub(crate) fn new(sandbox: Sandbox, expires: Instant, idle: Duration) -> Self {
        Self {
            log: sandbox.log().clone(),
            place: Mutex::new(Place {
                sandbox: Some(sandbox),
                since: Instant::now(),
                end: None,
            }),
            expires,
            idle,
        }
    }

    /// Takes the sandbox out for a call, or to end the generation.
    pub(crate) fn take(&self) -> Option<Sandbox> {
        self.lock().sandbox.take()
    }

    /// Holds the sandbox for the next call. Drops it when there will be none.
    pub(crate) fn put(&self, sandbox: Sandbox) {
        let now = Instant::now();
        let mut place = self.lock();
        if place.end.is_none() && now < self.expires {
            place.sandbox = Some(sandbox);
            place.since = now;
        }
    }

    /// Returns the guest's log, whether or not its sandbox is here.
    pub(crate) fn log(&self) -> &LogSink {
        &self.log
    }

    /// When the request must be over.
    pub(crate) fn expires(&self) -> Instant {
        self.expires
    }

    /// Returns the reason that nothing is held any more, unless a call has taken the sandbox.
    pub(crate) fn end(&self) -> Option<End> {
        let is_late = Instant::now() >= self.expires;
        self.lock().end.or(is_late.then_some(End::Deadline))
    }

    /// Holds nothing from now on, and returns what was held. The first reason counts.
    pub(crate) fn finish(&self, end: End) -> Option<Sandbox> {
        let mut place = self.lock();
        place.end.get_or_insert(end);
        place.sandbox.take()
    }

    /// Drops the sandbox if its time is up, and otherwise says when to look again.
    pub(crate) fn look(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut place = self.lock();
        // While a call runs, the wait for the one after it has not even begun.
        let since = place.sandbox.as_ref().map_or(now, |_| place.since);
        let idle_at = since.checked_add(self.idle).unwrap_or(self.expires);
        let end = if now >= self.expires {
            End::Deadline
        } else if now >= idle_at {
            End::Idle
        } else {
            return Some(idle_at.min(self.expires));
        };
        place.end.get_or_insert(end);
        let held = place.sandbox.take();
        drop(place);
        // Unmapping gigabytes must keep nobody waiting, neither for the lock nor for the place.
        if let Some(mut sandbox) = held {
            sandbox.give_up_place();
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
