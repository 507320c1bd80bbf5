//! Traces of requests, sent to a collector by OpenTelemetry's protocol over HTTP.
//!
//! A request is a span. Below it are the waits for a thread and the sandboxes, which are made from what the host reports
//! when a sandbox request is over. Without the feature `otel` all of it is a no-op.

#[cfg(feature = "otel")]
mod attributes;
#[cfg(feature = "otel")]
mod client;
mod collector;
#[cfg(feature = "otel")]
mod error;
#[cfg(feature = "otel")]
mod exporter;
#[cfg(not(feature = "otel"))]
mod off;
#[cfg(feature = "otel")]
mod parent;
#[cfg(feature = "otel")]
mod request_end;
#[cfg(feature = "otel")]
mod request_span;
#[cfg(feature = "otel")]
mod sampler;
#[cfg(feature = "otel")]
mod sandbox;

pub use collector::{Collector, CollectorError};
#[cfg(feature = "otel")]
pub use error::TracesError;
#[cfg(feature = "otel")]
pub use exporter::Traces;
#[cfg(not(feature = "otel"))]
pub(crate) use off::{RequestSpan, Traces, end, in_sandbox, sandbox_report, sandbox_step};
#[cfg(feature = "otel")]
pub(crate) use request_end::end;
#[cfg(feature = "otel")]
pub(crate) use request_span::RequestSpan;
#[cfg(feature = "otel")]
pub(crate) use sandbox::{in_sandbox, sandbox_report, sandbox_step};
