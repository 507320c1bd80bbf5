//! Prometheus metrics: counted while requests are answered, and read from the host when they are asked for.
//!
//! Every label has a bounded number of values. None comes from a request: a model has the name that the operator gave
//! it, a route is a pattern, and a code that a model chose is `input.*`.

mod audit;
mod buckets;
mod codes;
mod labels;
mod moment;
mod process;

pub(crate) use codes::label as code_label;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ampoule::{Host, Observer, RequestEvent};
use ampoule_access::Reason;
use ampoule_answers::Answers;
use ampoule_audit::AuditState;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::metrics::audit::AuditMoment;
use crate::metrics::labels::{
    BuildLabels, DurationLabels, ErrorLabels, FamilyLabels, ModelLabel, ModelLabels, ReasonLabels,
    RequestLabels, StepLabels,
};
use crate::metrics::moment::Moment;
use crate::metrics::process::Process;
use crate::models::Models;
use crate::request::context::Notes;
use crate::request::ended::Ended;
use crate::traces::sandbox_step;

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The metrics of a [`Service`](crate::Service). Clones are the same metrics.
///
/// They are made before the host, which tells them of each sandbox request:
///
/// ```
/// use ampoule::{Host, TrustStore};
/// use ampoule_server::{Metrics, Models, Service, ServiceSettings};
///
/// # fn main() -> ampoule::Result<()> {
/// let models = Models::default();
/// let metrics = Metrics::new(&models);
/// let host = Host::builder()
///     .trust(TrustStore::new())
///     .observer(metrics.observer())
///     .build()?;
/// let service = Service::new(host, models, metrics, ServiceSettings::default());
/// # drop(service);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    /// The models, for their own names.
    models: Models,
    process: Process,
    requests: Family<RequestLabels, Counter>,
    durations: Histograms<DurationLabels>,
    in_flight: Gauge,
    errors: Family<ErrorLabels, Counter>,
    denied: Family<ReasonLabels, Counter>,
    request_bytes: Family<FamilyLabels, Counter>,
    response_bytes: Family<FamilyLabels, Counter>,
    first_token: Histograms<ModelLabels>,
    input_tokens: Family<ModelLabels, Counter>,
    output_tokens: Family<ModelLabels, Counter>,
    fuel: Family<ModelLabels, Counter>,
    peak_memory: Histograms<ModelLabels>,
    waits: Histograms<ModelLabels>,
    steps: Histograms<StepLabels>,
    abandoned: Family<ModelLabels, Counter>,
    answer_hits: Family<ModelLabels, Counter>,
    answer_misses: Family<ModelLabels, Counter>,
    connections: Gauge,
    connections_total: Counter,
    connections_refused: Counter,
}

impl Metrics {
    /// Makes metrics of these models, all of them zero.
    #[must_use]
    pub fn new(models: &Models) -> Self {
        let mut inner = Inner {
            registry: Registry::default(),
            models: models.clone(),
            process: Process::begin(),
            requests: Family::default(),
            durations: Family::new_with_constructor(buckets::request),
            in_flight: Gauge::default(),
            errors: Family::default(),
            denied: Family::default(),
            request_bytes: Family::default(),
            response_bytes: Family::default(),
            first_token: Family::new_with_constructor(buckets::first_token),
            input_tokens: Family::default(),
            output_tokens: Family::default(),
            fuel: Family::default(),
            peak_memory: Family::new_with_constructor(buckets::memory),
            waits: Family::new_with_constructor(buckets::wait),
            steps: Family::new_with_constructor(buckets::step),
            abandoned: Family::default(),
            answer_hits: Family::default(),
            answer_misses: Family::default(),
            connections: Gauge::default(),
            connections_total: Counter::default(),
            connections_refused: Counter::default(),
        };
        inner.register();
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Returns the hook for [`HostBuilder::observer`](ampoule::HostBuilder::observer).
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(self.clone())
    }

    /// Writes all metrics in Prometheus' text format, version 0.0.4.
    ///
    /// The format is the same for every scraper, whatever it accepts: in OpenMetrics a bucket's bound is written in
    /// another way (`1.0` for `1`), so a scraper that changed its mind would make new series. Of the two, this one is
    /// read by every scraper, and its encoder escapes help texts.
    pub(crate) fn encode(
        &self,
        host: &Host,
        answers: Option<&Answers>,
        audit: Option<AuditState>,
    ) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.inner.registry)?;
        let mut now = Registry::default();
        now.register_collector(Box::new(Moment::new(
            host,
            &self.inner.models,
            self.inner.process,
            answers,
        )));
        if let Some(audit) = audit {
            now.register_collector(Box::new(AuditMoment(audit)));
        }
        prometheus_text::encode(&mut text, &now)?;
        Ok(text)
    }

    /// Counts a request that has arrived.
    pub(crate) fn request_began(&self) {
        self.inner.in_flight.inc();
    }

    /// Counts a request that is over.
    pub(crate) fn request_ended(&self, ended: &Ended<'_>) {
        let inner = &*self.inner;
        inner.in_flight.dec();
        let family = ended.family.name();
        let route = ended.route.to_owned();
        let model = ModelLabel(ended.notes.model.clone());
        let requests = RequestLabels {
            family,
            route: route.clone(),
            status: ended.status.into(),
            outcome: ended.outcome.name(),
            model: model.clone(),
        };
        inner.requests.get_or_create(&requests).inc();
        let durations = DurationLabels {
            family,
            route,
            model: model.clone(),
        };
        let durations = inner.durations.get_or_create(&durations);
        durations.observe(ended.took.as_secs_f64());
        drop(durations);
        if let Some(code) = &ended.notes.error {
            let labels = ErrorLabels {
                family,
                code: code_label(code).to_owned(),
            };
            inner.errors.get_or_create(&labels).inc();
        }
        if let Some(reason) = ended.notes.denied {
            let reason = reason.code();
            inner.denied.get_or_create(&ReasonLabels { reason }).inc();
        }
        let labels = FamilyLabels { family };
        let received = inner.request_bytes.get_or_create(&labels);
        received.inc_by(ended.notes.body_bytes);
        drop(received);
        let sent = inner.response_bytes.get_or_create(&labels);
        sent.inc_by(ended.bytes);
        drop(sent);
        let labels = ModelLabels { model };
        if let Some(first_token) = ended.notes.first_token {
            let histogram = inner.first_token.get_or_create(&labels);
            histogram.observe(first_token.as_secs_f64());
        }
        if ended.notes.sandboxes + ended.notes.hits > 0 {
            self.count_costs(ended.notes, &labels);
        }
        if ended.notes.cache().is_some() {
            let hits = inner.answer_hits.get_or_create(&labels);
            hits.inc_by(ended.notes.hits);
            drop(hits);
            let misses = inner.answer_misses.get_or_create(&labels);
            misses.inc_by(ended.notes.misses);
        }
    }

    /// Counts the costs of a request that a sandbox has worked for, or a kept answer has answered.
    fn count_costs(&self, notes: &Notes, labels: &ModelLabels) {
        let inner = &*self.inner;
        let totals = [
            (&inner.input_tokens, notes.input_tokens),
            (&inner.output_tokens, notes.output_tokens),
            (&inner.fuel, notes.fuel.get()),
        ];
        for (total, amount) in totals {
            total.get_or_create(labels).inc_by(amount);
        }
        if notes.sandboxes == 0 {
            return;
        }
        #[allow(
            clippy::cast_precision_loss,
            reason = "a histogram's values are rounded anyway"
        )]
        let memory = notes.peak_memory.bytes() as f64;
        inner.peak_memory.get_or_create(labels).observe(memory);
    }

    /// Counts a connection that there is no room for.
    pub(crate) fn connection_refused(&self) {
        self.inner.connections_refused.inc();
    }

    /// Counts a connection until the guard is dropped.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.inner.connections.inc();
        self.inner.connections_total.inc();
        OpenConnection(self.clone())
    }
}

/// Drop guard of one connection in the metrics.
#[derive(Debug)]
pub(crate) struct OpenConnection(Metrics);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.inner.connections.dec();
    }
}

impl Observer for Metrics {
    fn request_ended(&self, event: &RequestEvent<'_>) {
        // A host has one observer: the trace of the request that waits for this sandbox hears of it here.
        sandbox_step(event);
        let inner = &*self.inner;
        // Calls of the program's own name no place, and a bundle may have several.
        let place = event.served_as.and_then(|name| inner.models.entry(name));
        let name = match place {
            Some(entry) => Some(Arc::clone(&entry.name)),
            None => inner.models.name_of(event.model),
        };
        let model = ModelLabel(name);
        let step = StepLabels {
            step: if event.is_continued { "next" } else { "first" },
            model: model.clone(),
        };
        let labels = ModelLabels { model };
        if !event.is_continued {
            let waits = inner.waits.get_or_create(&labels);
            waits.observe(event.waited.as_secs_f64());
        }
        let worked = event.took.saturating_sub(event.waited);
        if worked > Duration::ZERO {
            let steps = inner.steps.get_or_create(&step);
            steps.observe(worked.as_secs_f64());
        }
        let abandoned = inner.abandoned.get_or_create(&labels);
        abandoned.inc_by(u64::from(event.is_abandoned));
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Inner {
    /// Gives each metric its name and help. The encoder appends `_total` to counters' names.
    fn register(&mut self) {
        let registry = &mut self.registry;
        let build = Family::<BuildLabels, Gauge>::default();
        build.get_or_create(&BuildLabels::of_this_build()).set(1);
        registry.register("ampoule_build_info", "The version of this build", build);
        registry.register(
            "ampoule_http_requests",
            "Requests that are over, by the end that they came to",
            self.requests.clone(),
        );
        registry.register(
            "ampoule_http_request_duration_seconds",
            "Time from a request's head to the last byte of its answer",
            self.durations.clone(),
        );
        registry.register(
            "ampoule_http_requests_in_flight",
            "Requests whose answer is not over",
            self.in_flight.clone(),
        );
        registry.register(
            "ampoule_http_errors",
            "Requests that ended with an error, by its code",
            self.errors.clone(),
        );
        // The commonest reason is zero from the beginning: a rate needs the value before the first request.
        let reason = Reason::Missing.code();
        drop(self.denied.get_or_create(&ReasonLabels { reason }));
        registry.register(
            "ampoule_http_requests_denied",
            "Requests that were not let in, by the reason that the access log has",
            self.denied.clone(),
        );
        registry.register(
            "ampoule_http_request_body_bytes",
            "Bytes of requests' bodies that were read",
            self.request_bytes.clone(),
        );
        registry.register(
            "ampoule_http_response_body_bytes",
            "Bytes of answers' bodies that were handed to connections",
            self.response_bytes.clone(),
        );
        registry.register(
            "ampoule_time_to_first_token_seconds",
            "Time from a request's head to the first piece of its generation",
            self.first_token.clone(),
        );
        registry.register(
            "ampoule_input_tokens",
            "Tokens that models have read, also for answers that were kept",
            self.input_tokens.clone(),
        );
        registry.register(
            "ampoule_output_tokens",
            "Tokens that models have generated, also for answers that were kept",
            self.output_tokens.clone(),
        );
        registry.register(
            "ampoule_fuel",
            "Fuel that sandboxes have used for requests",
            self.fuel.clone(),
        );
        registry.register(
            "ampoule_sandbox_peak_memory_bytes",
            "The most memory of any sandbox of a request",
            self.peak_memory.clone(),
        );
        registry.register(
            "ampoule_sandbox_wait_seconds",
            "Time that a sandbox request waited for a thread",
            self.waits.clone(),
        );
        registry.register(
            "ampoule_sandbox_step_seconds",
            "Time that a guest worked on the first or a next step of a sandbox request",
            self.steps.clone(),
        );
        registry.register(
            "ampoule_sandbox_requests_abandoned",
            "Sandbox requests and steps whose caller went away",
            self.abandoned.clone(),
        );
        registry.register(
            "ampoule_answers_hits",
            "Calls of models that a kept answer has answered",
            self.answer_hits.clone(),
        );
        registry.register(
            "ampoule_answers_misses",
            "Calls of models that no kept answer has answered, and might have",
            self.answer_misses.clone(),
        );
        registry.register(
            "ampoule_connections",
            "Connections that are open",
            self.connections.clone(),
        );
        registry.register(
            "ampoule_connections_opened",
            "Connections that were accepted",
            self.connections_total.clone(),
        );
        registry.register(
            "ampoule_connections_refused",
            "Connections that there was no room for",
            self.connections_refused.clone(),
        );
    }
}
