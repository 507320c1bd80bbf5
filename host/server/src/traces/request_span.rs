//! The span of a request.

use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use axum::extract::Request;
use axum::http::Version;
use opentelemetry::trace::{SpanBuilder, SpanKind, TraceContextExt as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use crate::request::method;
use crate::traces::exporter::Traces;
use crate::traces::parent;

/// A request's span; a no-op where the request is not traced.
#[derive(Clone, Debug)]
pub(crate) struct RequestSpan {
    pub(super) traced: Option<Arc<Traced>>,
}

/// A request that is traced.
#[derive(Debug)]
pub(super) struct Traced {
    pub(super) tracer: SdkTracer,
    /// Holds the span, for those below it.
    pub(super) context: Context,
    /// The operation by the conventions for generative models.
    pub(super) operation: OnceLock<&'static str>,
    begun: Instant,
    begun_at: SystemTime,
}

impl RequestSpan {
    /// Makes the no-op of a request that is not traced.
    pub(crate) fn none() -> Self {
        Self { traced: None }
    }

    /// Begins the span of a request, below that of its caller. Its name has the route once that is known.
    pub(crate) fn begin(traces: Option<&Traces>, request: &Request) -> Self {
        let traced = traces.and_then(|traces| Traced::begin(traces.tracer(), request));
        Self {
            traced: traced.map(Arc::new),
        }
    }

    /// Returns the id of the trace, for the access log; `None` where the request is not traced.
    pub(crate) fn trace_id(&self) -> Option<String> {
        let traced = self.traced.as_ref()?;
        let span = traced.context.span();
        Some(span.span_context().trace_id().to_string())
    }
}

impl Traced {
    fn begin(tracer: &SdkTracer, request: &Request) -> Option<Self> {
        let (begun, begun_at) = (Instant::now(), SystemTime::now());
        let mut context = Context::new();
        if let Some(parent) = parent::of(request.headers()) {
            context = context.with_remote_span_context(parent);
        }
        let method = method::known(request.method());
        let mut attributes = vec![
            KeyValue::new("http.request.method", method.unwrap_or("_OTHER")),
            KeyValue::new("url.scheme", "http"),
        ];
        if let Some(version) = version(request.version()) {
            attributes.push(KeyValue::new("network.protocol.version", version));
        }
        let span = SpanBuilder::from_name(method.unwrap_or("HTTP"))
            .with_kind(SpanKind::Server)
            .with_start_time(begun_at)
            .with_attributes(attributes)
            .start_with_context(tracer, &context);
        let context = context.with_span(span);
        if !context.span().is_recording() {
            return None;
        }
        Some(Self {
            tracer: tracer.clone(),
            context,
            operation: OnceLock::new(),
            begun,
            begun_at,
        })
    }

    /// Returns the time of a moment by the clock as it was when the request began: the spans of a request fit each other
    /// also where the clock is set meanwhile.
    pub(super) fn time(&self, moment: Instant) -> SystemTime {
        match moment.checked_duration_since(self.begun) {
            Some(since) => self.begun_at + since,
            None => self.begun_at - self.begun.saturating_duration_since(moment),
        }
    }
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::HTTP_10 => Some("1.0"),
        Version::HTTP_11 => Some("1.1"),
        _ => None,
    }
}
