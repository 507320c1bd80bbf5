//! Traces on their way to a collector.

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::traces::client::Client;
use crate::traces::collector::Collector;
use crate::traces::error::TracesError;
use crate::traces::sampler;

/// Name of the service where the operator's variables say none.
const SERVICE_NAME: &str = "ampoule";

/// Longest time for a collector to take a batch of spans: the default of OpenTelemetry's protocol. Spans wait meanwhile,
/// as many as the queue has room for.
const EXPORT_TIME: Duration = Duration::from_secs(10);

/// The name of a service to which OpenTelemetry's library gave none.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// Traces of requests that go to one collector. Clones go the same way.
///
/// Spans that are over wait in a queue, from which a thread of its own sends them. A span that finds the queue full is
/// lost: neither a collector that is away nor one that is slow holds up a request.
#[derive(Clone, Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Begins to send traces to this collector. OpenTelemetry's variables say which requests are traced
    /// (`OTEL_TRACES_SAMPLER`), the service's name (`OTEL_SERVICE_NAME`), further facts of it
    /// (`OTEL_RESOURCE_ATTRIBUTES`), the collector's headers (`OTEL_EXPORTER_OTLP_HEADERS`), and the queue's bounds
    /// (`OTEL_BSP_*`).
    ///
    /// # Errors
    ///
    /// A variable has a value that cannot be taken.
    pub fn to(collector: &Collector) -> Result<Self, TracesError> {
        let sampler = sampler::from_variables()?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(collector, EXPORT_TIME))
            .with_endpoint(collector.endpoint())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(EXPORT_TIME)
            .build()
            .map_err(|error| TracesError::Exporter(error.to_string()))?;
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler)
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        let scope = InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let tracer = provider.tracer_with_scope(scope);
        Ok(Self { provider, tracer })
    }

    /// Sends the spans that wait, and no further ones. Returns true when all are sent within `patience`.
    pub async fn end(&self, patience: Duration) -> bool {
        let provider = self.provider.clone();
        let ended = move || provider.shutdown_with_timeout(patience).is_ok();
        // The library waits in the way of threads.
        let ended = tokio::task::spawn_blocking(ended).await;
        ended.unwrap_or_default()
    }

    pub(super) fn tracer(&self) -> &SdkTracer {
        &self.tracer
    }
}

/// Returns the facts of the service, with a name also where the variables say none.
fn resource() -> Resource {
    let told = Resource::builder().build();
    let name = told.get(&"service.name".into());
    let has_name = name.is_some_and(|name| !name.as_str().starts_with(UNKNOWN_SERVICE));
    if has_name {
        return told;
    }
    let named = Resource::builder().with_service_name(SERVICE_NAME);
    named.build()
}
