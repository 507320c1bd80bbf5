//! The end of a request's span.

use std::borrow::Cow;
use std::time::Instant;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Status, TraceContextExt as _};

use crate::metrics::code_label;
use crate::request::ended::{Ended, Outcome};
use crate::request::method;
use crate::traces::attributes::{ERROR_TYPE, FUEL, PEAK_MEMORY, number, text};
use crate::traces::request_span::RequestSpan;

/// Ends the span of a request that is over.
pub(crate) fn end(span: &RequestSpan, ended: &Ended<'_>) {
    let Some(traced) = &span.traced else {
        return;
    };
    let span = traced.context.span();
    span.update_name(name(ended));
    span.set_attributes(attributes(ended));
    if ended.notes.sandboxes > 0 {
        span.set_attributes(costs(ended, traced.operation.get().copied()));
    }
    if has_failed(ended) {
        // The code says more than a text for people, which may hold a guest's words.
        span.set_status(Status::error(""));
    }
    span.end_with_timestamp(traced.time(Instant::now()));
}

/// Returns the method with the pattern of the route, never the path.
fn name(ended: &Ended<'_>) -> Cow<'static, str> {
    let method = ended.method.and_then(method::known).unwrap_or("HTTP");
    match &ended.notes.route {
        Some(route) => format!("{method} {}", route.as_str()).into(),
        None => method.into(),
    }
}

/// Tells whether the server failed, by the conventions for servers: refusals are the caller's doing.
fn has_failed(ended: &Ended<'_>) -> bool {
    match ended.status {
        Some(status) if status.is_success() => ended.notes.error.is_some(),
        Some(status) => status.is_server_error(),
        None => false,
    }
}

fn attributes(ended: &Ended<'_>) -> Vec<KeyValue> {
    let notes = ended.notes;
    let mut all = vec![
        KeyValue::new("ampoule.family", ended.family.name()),
        KeyValue::new("ampoule.outcome", ended.outcome.name()),
        text("ampoule.request.id", ended.id),
        number("http.request.body.size", notes.body_bytes),
        number("http.response.body.size", ended.bytes),
    ];
    if let Some(route) = &notes.route {
        all.push(text("http.route", route.as_str()));
    }
    if let Some(status) = ended.status {
        all.push(number("http.response.status_code", status.as_u16().into()));
    }
    if let Some(peer) = ended.peer {
        all.push(KeyValue::new("network.peer.address", peer.ip().to_string()));
    }
    if let Some(code) = &notes.error {
        all.push(text(ERROR_TYPE, code_label(code)));
    } else if ended.outcome == Outcome::ClientGone {
        all.push(KeyValue::new(ERROR_TYPE, ended.outcome.name()));
    }
    if let Some(model) = &notes.model {
        all.push(text("gen_ai.request.model", model));
    }
    all
}

/// Makes the attributes of what the request's sandboxes have cost, all together.
fn costs(ended: &Ended<'_>, operation: Option<&'static str>) -> Vec<KeyValue> {
    let notes = ended.notes;
    let mut all = vec![
        number("ampoule.sandboxes", notes.sandboxes),
        number(FUEL, notes.fuel.get()),
        number(PEAK_MEMORY, notes.peak_memory.bytes()),
    ];
    if let Some(operation) = operation {
        all.push(KeyValue::new("gen_ai.operation.name", operation));
        all.push(KeyValue::new("gen_ai.provider.name", "ampoule"));
        all.push(number("gen_ai.usage.input_tokens", notes.input_tokens));
    }
    if operation == Some("chat") {
        all.push(number("gen_ai.usage.output_tokens", notes.output_tokens));
    }
    if let Some(first) = notes.first_token {
        let seconds = first.as_secs_f64();
        all.push(KeyValue::new("ampoule.time_to_first_token", seconds));
    }
    all
}
