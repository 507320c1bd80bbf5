//! Traces of a server: begun in a program that has them, and refused in one that has not.

use std::time::Duration;

use ampoule_server::{Collector, Service};

use crate::error::Error;

/// Traces of a server's requests, if the operator asked for them.
#[cfg(feature = "otel")]
pub(crate) struct Traces(Option<ampoule_server::Traces>);

/// No traces: this program is built without them.
#[cfg(not(feature = "otel"))]
pub(crate) struct Traces;

#[cfg(feature = "otel")]
impl Traces {
    /// Begins to send traces to a collector, if there is one.
    ///
    /// # Errors
    ///
    /// A variable of OpenTelemetry's has a value that cannot be taken.
    pub(crate) fn to(collector: Option<&Collector>) -> Result<Self, Error> {
        let traces = collector.map(ampoule_server::Traces::to).transpose();
        let traces = traces.map_err(|error| Error::Setting(error.to_string()))?;
        Ok(Self(traces))
    }

    /// Returns the service with its requests traced.
    pub(crate) fn of(&self, service: Service) -> Service {
        match &self.0 {
            Some(traces) => service.with_traces(traces.clone()),
            None => service,
        }
    }

    /// Sends the spans that wait, for so long at most.
    pub(crate) async fn end(&self, patience: Duration) {
        if let Some(traces) = &self.0
            && !traces.end(patience).await
            && !patience.is_zero()
        {
            tracing::warn!(target: "ampoule::server", "the last traces could not be sent in time");
        }
    }
}

#[cfg(not(feature = "otel"))]
impl Traces {
    /// Refuses a collector.
    pub(crate) fn to(collector: Option<&Collector>) -> Result<Self, Error> {
        match collector {
            None => Ok(Self),
            Some(_) => Err(Error::Setting(
                "--traces: this program is built without traces; build it with its feature `otel` (`--features \
                 ampoule-cli/otel`), or leave out the option, AMPOULE_TRACES and the key `traces`"
                    .to_owned(),
            )),
        }
    }

    pub(crate) fn of(&self, service: Service) -> Service {
        service
    }

    pub(crate) async fn end(&self, _: Duration) {}
}
