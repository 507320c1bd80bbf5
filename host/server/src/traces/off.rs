//! No-op traces of a build without the feature `otel`.

use ampoule::{RequestEvent, SandboxReport, Task};
use axum::extract::Request;

/// Stands for traces, of which there are none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Traces {}

/// No-op span of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestSpan;

impl RequestSpan {
    pub(crate) fn none() -> Self {
        Self
    }

    pub(crate) fn begin(_: Option<&Traces>, _: &Request) -> Self {
        Self
    }

    pub(crate) fn trace_id(&self) -> Option<String> {
        None
    }
}

pub(crate) async fn in_sandbox<F: Future>(_: &RequestSpan, _: Task, call: F) -> F::Output {
    call.await
}

pub(crate) fn sandbox_step(_: &RequestEvent<'_>) {}

pub(crate) fn sandbox_report(_: &SandboxReport) {}

pub(crate) fn end<E>(_: &RequestSpan, _: &E) {}
