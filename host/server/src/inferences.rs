//! Counts and times of inferences by the Open Inference Protocol, by model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ampoule::{SandboxReport, Timestamp};

/// Sizes of batches that are counted apart; the others are counted in the totals only.
const MAX_BATCH_SIZES: usize = 64;

/// The counts of all models, by a model's own name. Invariant: only names of served models are in it, so callers cannot
/// make it grow.
#[derive(Debug, Default)]
pub(crate) struct Inferences {
    models: Mutex<BTreeMap<Arc<str>, Counts>>,
}

/// The times of one inference.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    /// From the body's last byte to the answer's first.
    pub(crate) whole: Duration,
    pub(crate) compute_input: Duration,
    pub(crate) compute_output: Duration,
    /// In sandboxes, making them included, one after the other.
    compute_infer: Duration,
    queue: Duration,
    batch: u64,
    executions: u64,
}

/// The counts of the served release of one model.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    version: String,
    /// Milliseconds since 1970.
    pub(crate) last_inference: u64,
    pub(crate) inferences: u64,
    pub(crate) executions: u64,
    pub(crate) success: Times,
    pub(crate) fail: Times,
    pub(crate) queue: Times,
    pub(crate) compute_input: Times,
    pub(crate) compute_infer: Times,
    pub(crate) compute_output: Times,
    pub(crate) batches: BTreeMap<u64, BatchCounts>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BatchCounts {
    pub(crate) compute_input: Times,
    pub(crate) compute_infer: Times,
    pub(crate) compute_output: Times,
}

/// A number of times, and their sum.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) count: u64,
    pub(crate) nanoseconds: u64,
}

impl Times {
    fn add(&mut self, duration: Duration) {
        self.count += 1;
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds = self.nanoseconds.saturating_add(ns);
    }
}

impl Measured {
    /// Notes the sandboxes of a call that took so long. The wait is the time in which no sandbox ran; sandboxes that ran
    /// side by side leave none.
    pub(crate) fn ran(&mut self, took: Duration, batch: usize, reports: &[SandboxReport]) {
        let ran = reports.iter().map(|report| report.start_wall + report.wall);
        self.compute_infer = ran.sum();
        self.queue = took.saturating_sub(self.compute_infer);
        self.batch = batch as u64;
        self.executions = reports.len() as u64;
    }
}

impl Inferences {
    /// Counts an inference of a served model. A new release begins with new counts.
    pub(crate) fn count(
        &self,
        name: &Arc<str>,
        version: &str,
        is_success: bool,
        measured: &Measured,
    ) {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = models.entry(Arc::clone(name)).or_default();
        if counts.version != version {
            *counts = Counts {
                version: version.to_owned(),
                ..Counts::default()
            };
        }
        if !is_success {
            counts.fail.add(measured.whole);
            return;
        }
        counts.last_inference = Timestamp::now().as_millisecond().try_into().unwrap_or(0);
        counts.inferences += measured.batch;
        counts.executions += measured.executions;
        counts.success.add(measured.whole);
        counts.queue.add(measured.queue);
        counts.compute_input.add(measured.compute_input);
        counts.compute_infer.add(measured.compute_infer);
        counts.compute_output.add(measured.compute_output);
        let is_known = counts.batches.contains_key(&measured.batch);
        if is_known || counts.batches.len() < MAX_BATCH_SIZES {
            let batch = counts.batches.entry(measured.batch).or_default();
            batch.compute_input.add(measured.compute_input);
            batch.compute_infer.add(measured.compute_infer);
            batch.compute_output.add(measured.compute_output);
        }
    }

    /// Returns the counts of the served release of a model; zeros before its first inference.
    pub(crate) fn of(&self, name: &str, version: &str) -> Counts {
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = models.get(name).filter(|counts| counts.version == version);
        counts.cloned().unwrap_or_default()
    }
}
