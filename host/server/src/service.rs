//! The shared state of all routes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use ampoule::{Host, Model, RequestLimits, Timestamp};
use ampoule_access::Permission;

use crate::core::limit_fields::{self, LimitFields};
use crate::core::readers::Readers;
use crate::error::ApiError;
use crate::inferences::Inferences;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::protection::visible::Visible;
use crate::protection::{OFF, Protection};
use crate::request::context::Context;
use crate::request::room::Rooms;
use crate::settings::ServiceSettings;
use crate::traces::Traces;

/// The models of a host with the settings by which they are served. Clones are the same service.
#[derive(Clone, Debug)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    host: Host,
    models: Models,
    metrics: Metrics,
    settings: ServiceSettings,
    started: Timestamp,
    inferences: Inferences,
    is_draining: AtomicBool,
    /// Room for bodies.
    rooms: Arc<Rooms>,
    readers: Readers,
    traces: OnceLock<Traces>,
    protection: OnceLock<Protection>,
}

impl Service {
    /// Makes a service of models that this host loads. `metrics` are of the same models, and best are the host's observer
    /// too: see [`Metrics`].
    #[must_use]
    pub fn new(host: Host, models: Models, metrics: Metrics, settings: ServiceSettings) -> Self {
        let rooms = Rooms::new(settings.bodies, settings.connections.connections);
        Self {
            inner: Arc::new(Inner {
                is_draining: AtomicBool::new(false),
                rooms: Arc::new(rooms),
                readers: Readers::default(),
                traces: OnceLock::new(),
                protection: OnceLock::new(),
                host,
                models,
                metrics,
                settings,
                started: Timestamp::now(),
                inferences: Inferences::default(),
            }),
        }
    }

    /// Traces the requests that come from now on. The first traces of a service stay: later ones are dropped.
    #[cfg(feature = "otel")]
    #[must_use]
    pub fn with_traces(self, traces: Traces) -> Self {
        let _ = self.inner.traces.set(traces);
        self
    }

    /// Protects the service. The first protection of a service stays: later ones are dropped. Without any, everybody who
    /// reaches the service may ask for everything.
    #[must_use]
    pub fn with_protection(self, protection: Protection) -> Self {
        let _ = self.inner.protection.set(protection);
        self
    }

    /// Returns the host that loads and answers.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.inner.host
    }

    /// Returns the models.
    #[must_use]
    pub fn models(&self) -> &Models {
        &self.inner.models
    }

    /// Looks if each model is trusted still, so that its readiness is that of this moment.
    pub(crate) async fn look_at_models(&self) {
        self.inner.models.look().await;
    }

    /// Refuses new requests from now on with 503, and is not ready any more. Those that have begun go on.
    pub fn begin_draining(&self) {
        self.inner.is_draining.store(true, Ordering::SeqCst);
    }

    /// Tells whether new requests are refused because the server is being shut down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.inner.is_draining.load(Ordering::SeqCst)
    }

    pub(crate) fn traces(&self) -> Option<&Traces> {
        self.inner.traces.get()
    }

    pub(crate) fn protection(&self) -> &Protection {
        self.inner.protection.get().unwrap_or(&OFF)
    }

    /// Returns the models that the caller of a request may know of. Whatever answers a request uses these alone.
    pub(crate) fn visible<'s>(&'s self, context: &'s Context) -> Visible<'s> {
        Visible::new(self.models(), context.caller())
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Returns the room for bodies.
    pub(crate) fn rooms(&self) -> &Arc<Rooms> {
        &self.inner.rooms
    }

    /// Returns the threads for work on large bodies.
    pub(crate) fn readers(&self) -> &Readers {
        &self.inner.readers
    }

    /// Works on what was read from a request's body, with this service: off the threads that serve all requests where the
    /// body is large.
    ///
    /// # Errors
    ///
    /// Those of [`Readers::work`].
    pub(crate) async fn work_on_body<T: Send + 'static>(
        &self,
        context: &Context,
        work: impl FnOnce(&Self) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let service = self.clone();
        let work = self
            .readers()
            .work(context.body_bytes(), move || work(&service));
        work.await
    }

    /// Checks that every model would answer a new request. The error names no model to a caller who may not read metrics.
    pub(crate) async fn check_ready(&self, context: &Context) -> Result<(), ApiError> {
        if self.is_draining() {
            return Err(ApiError::draining());
        }
        if let Some(audit) = self.protection().audit() {
            audit.check()?;
        }
        for entry in self.models().entries() {
            let checked = entry.check().await;
            checked.map_err(|error| {
                if context.may(Permission::Metrics) {
                    error
                } else {
                    error.without_names()
                }
            })?;
        }
        Ok(())
    }

    /// Returns the model of this name for calls of this request, which are limited to what its manifest asks for.
    pub(crate) fn call(&self, name: &str, context: &Context) -> Result<Model, ApiError> {
        self.call_within(name, context, RequestLimits::default(), &[])
    }

    /// Returns the model of this name for calls of this request, within these limits, which these fields set.
    pub(crate) fn call_within(
        &self,
        name: &str,
        context: &Context,
        at_most: RequestLimits,
        fields: &LimitFields,
    ) -> Result<Model, ApiError> {
        let found = self.visible(context).find(name)?;
        let name = &found.entry.name;
        let mut notes = context.notes();
        notes.model = Some(Arc::clone(name));
        notes.asked = Some(found.model.clone());
        drop(notes);
        let options = context.call_options(name, at_most);
        let model = found.model.with_options(options);
        model.map_err(|error| limit_fields::named(error, fields))
    }

    pub(crate) fn settings(&self) -> &ServiceSettings {
        &self.inner.settings
    }

    /// Returns the counts of inferences by the Open Inference Protocol.
    pub(crate) fn inferences(&self) -> &Inferences {
        &self.inner.inferences
    }

    /// Returns the time at which the service was made.
    pub(crate) fn started(&self) -> Timestamp {
        self.inner.started
    }
}
