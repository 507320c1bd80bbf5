//! The shared state of all routes.

use std::sync::Arc;

use ampoule::{Host, Model, RequestLimits, Timestamp};

use crate::error::ApiError;
use crate::families::inference::statistics::Statistics;
use crate::http::context::Context;
use crate::models::Models;
use crate::settings::ServiceSettings;

/// The models of a host with the settings by which they are served. Clones are the same service.
#[derive(Clone, Debug)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    host: Host,
    models: Models,
    settings: ServiceSettings,
    started: Timestamp,
    statistics: Statistics,
}

impl Service {
    /// Makes a service of models that this host loads.
    #[must_use]
    pub fn new(host: Host, models: Models, settings: ServiceSettings) -> Self {
        Self {
            inner: Arc::new(Inner {
                host,
                models,
                settings,
                started: Timestamp::now(),
                statistics: Statistics::default(),
            }),
        }
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

    /// Returns the model of this name for calls of this request, which are limited to what its manifest asks for.
    pub(crate) fn call(&self, name: &str, context: &Context) -> Result<Model, ApiError> {
        self.call_within(name, context, RequestLimits::default())
    }

    /// Returns the model of this name for calls of this request, within these limits.
    pub(crate) fn call_within(
        &self,
        name: &str,
        context: &Context,
        at_most: RequestLimits,
    ) -> Result<Model, ApiError> {
        let found = self.models().find(name)?;
        context.notes().model = Some(Arc::clone(&found.entry.name));
        Ok(found.model.with_options(context.call_options(at_most))?)
    }

    pub(crate) fn settings(&self) -> &ServiceSettings {
        &self.inner.settings
    }

    /// Returns the counts of inferences by the Open Inference Protocol.
    pub(crate) fn statistics(&self) -> &Statistics {
        &self.inner.statistics
    }

    /// Returns the time at which the service was made.
    pub(crate) fn started(&self) -> Timestamp {
        self.inner.started
    }
}
