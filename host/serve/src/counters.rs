//! Counters and gauges of a server, and the hook for whoever wants each value.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ampoule_sandbox::{Error, ModelFacts};

/// A server at one moment: gauges of what is there, and totals since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// New requests that wait for a thread.
    pub waiting: usize,
    /// Next steps of requests that have begun and wait for a thread.
    pub waiting_steps: usize,
    /// Requests that a guest works on.
    pub running: usize,
    /// Sandboxes that are alive, those held for a next step included.
    pub sandboxes: usize,
    /// Models that are served, each as often as it was loaded.
    pub models: usize,
    /// Requests in all: answered, failed, refused, or abandoned by their callers.
    pub requests: u64,
    /// Steps of requests after the first, such as chunks of a generation.
    pub steps: u64,
    /// Requests and steps that failed or were refused, by code. A code that a model chose counts as `input.*`.
    pub refused: BTreeMap<String, u64>,
}

/// One request, or one step of one, that is over.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RequestEvent<'e> {
    /// The model that was asked.
    pub model: &'e ModelFacts,
    /// The caller that it counts for.
    pub tenant: Option<&'e str>,
    /// The request's name.
    pub request_id: Option<&'e str>,
    /// The name under which a service serves the model, as its call's options say it.
    pub served_as: Option<&'e str>,
    /// True for the next step of a request, such as the next chunk of a generation.
    pub is_continued: bool,
    /// True when its caller stopped waiting for its end, by dropping the future.
    pub is_abandoned: bool,
    /// Time until a thread had begun it; all of the time for one that never began.
    pub waited: Duration,
    /// Time in all, the wait included.
    pub took: Duration,
    /// The reason why there was no answer.
    pub error: Option<&'e Error>,
}

/// A hook that is told of each request, for histograms.
///
/// It is called on the thread that waits for the answer, and holds up that caller alone.
pub trait Observer: Send + Sync {
    /// Takes note of a request, or a step of one, that is over.
    fn request_ended(&self, event: &RequestEvent<'_>);
}

/// Totals, and the hook.
#[derive(Default)]
pub(crate) struct Totals {
    requests: AtomicU64,
    steps: AtomicU64,
    refused: Mutex<BTreeMap<String, u64>>,
    observer: Option<Arc<dyn Observer>>,
}

impl Totals {
    pub(crate) fn new(observer: Option<Arc<dyn Observer>>) -> Self {
        Self {
            observer,
            ..Self::default()
        }
    }

    /// Counts a request or a step, and tells the observer.
    pub(crate) fn count(&self, event: &RequestEvent<'_>) {
        let total = if event.is_continued {
            &self.steps
        } else {
            &self.requests
        };
        total.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = event.error {
            let code = match error {
                // A model may choose any; only so many can be counted.
                Error::RefusedInput { .. } => "input.*",
                error => error.code(),
            };
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            match refused.get_mut(code) {
                Some(count) => *count += 1,
                None => {
                    refused.insert(code.to_owned(), 1);
                }
            }
        }
        if let Some(observer) = &self.observer {
            observer.request_ended(event);
        }
    }

    /// Returns the totals, without any gauge.
    pub(crate) fn counters(&self) -> Counters {
        Counters {
            requests: self.requests.load(Ordering::Relaxed),
            steps: self.steps.load(Ordering::Relaxed),
            refused: self
                .refused
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            ..Counters::default()
        }
    }
}

impl fmt::Debug for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counters().fmt(f)
    }
}
