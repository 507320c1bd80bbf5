//! Counts and times of inferences, by model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ampoule::{SandboxReport, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

/// Sizes of batches that are counted apart; the others are counted in the totals only.
const MAX_BATCH_SIZES: usize = 64;

/// The counts of all models, by a model's own name. Invariant: only names of served models are in it, so callers cannot
/// make it grow.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
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
struct Counts {
    version: String,
    /// Milliseconds since 1970.
    last_inference: u64,
    inferences: u64,
    executions: u64,
    success: DurationStatistics,
    fail: DurationStatistics,
    queue: DurationStatistics,
    compute_input: DurationStatistics,
    compute_infer: DurationStatistics,
    compute_output: DurationStatistics,
    batches: BTreeMap<u64, BatchCounts>,
}

#[derive(Clone, Copy, Debug, Default)]
struct BatchCounts {
    compute_input: DurationStatistics,
    compute_infer: DurationStatistics,
    compute_output: DurationStatistics,
}

/// A number of times, and their sum.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
#[schema(as = InferenceDuration)]
pub(crate) struct DurationStatistics {
    count: u64,
    /// Nanoseconds.
    ns: u64,
}

/// The inferences of a model by this family's routes, since its served release began to serve.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceModelStatistics)]
pub(crate) struct ModelStatistics {
    name: String,
    version: String,
    /// Milliseconds since 1970; 0 for none.
    last_inference: u64,
    /// Texts, pictures and prompts that were answered.
    inference_count: u64,
    /// Sandboxes that answered.
    execution_count: u64,
    inference_stats: InferenceStatistics,
    batch_stats: Vec<BatchStatistics>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceDurations)]
pub(crate) struct InferenceStatistics {
    success: DurationStatistics,
    fail: DurationStatistics,
    queue: DurationStatistics,
    compute_input: DurationStatistics,
    compute_infer: DurationStatistics,
    compute_output: DurationStatistics,
    /// Nothing is cached.
    cache_hit: DurationStatistics,
    cache_miss: DurationStatistics,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceBatchStatistics)]
pub(crate) struct BatchStatistics {
    batch_size: u64,
    compute_input: DurationStatistics,
    compute_infer: DurationStatistics,
    compute_output: DurationStatistics,
}

impl DurationStatistics {
    fn add(&mut self, duration: Duration) {
        self.count += 1;
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.ns = self.ns.saturating_add(ns);
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

impl Statistics {
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

    /// Returns the counts of the served release of a model.
    pub(crate) fn of(&self, name: &str, version: &str) -> ModelStatistics {
        let models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = models.get(name).filter(|counts| counts.version == version);
        let counts = counts.cloned().unwrap_or_default();
        drop(models);
        let batch = |(batch_size, counts): (u64, BatchCounts)| BatchStatistics {
            batch_size,
            compute_input: counts.compute_input,
            compute_infer: counts.compute_infer,
            compute_output: counts.compute_output,
        };
        ModelStatistics {
            name: name.to_owned(),
            version: version.to_owned(),
            last_inference: counts.last_inference,
            inference_count: counts.inferences,
            execution_count: counts.executions,
            inference_stats: InferenceStatistics {
                success: counts.success,
                fail: counts.fail,
                queue: counts.queue,
                compute_input: counts.compute_input,
                compute_infer: counts.compute_infer,
                compute_output: counts.compute_output,
                cache_hit: DurationStatistics::default(),
                cache_miss: DurationStatistics::default(),
            },
            batch_stats: counts.batches.into_iter().map(batch).collect(),
        }
    }
}
