//! The caller's span, by the headers `traceparent` and `tracestate` (W3C Trace Context, sections 3.2 and 3.3).

use std::str::FromStr as _;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Bytes of `tracestate`, which each span of the request keeps. W3C asks for no more, and a head could bring 32 KiB.
const TRACE_STATE_BYTES: usize = 512;

/// Returns the caller's span; `None` where there is none that is well formed. The library's own reader takes numbers of
/// any length and with a sign.
pub(super) fn of(headers: &HeaderMap) -> Option<SpanContext> {
    let mut parents = headers.get_all(TRACE_PARENT).iter();
    let (Some(parent), None) = (parents.next(), parents.next()) else {
        return None;
    };
    let (trace, span, flags) = read(parent.to_str().ok()?)?;
    let context = SpanContext::new(trace, span, flags, true, state(headers));
    context.is_valid().then_some(context)
}

/// Reads `VERSION-TRACE-SPAN-FLAGS`. Versions after 00 may have more behind.
fn read(parent: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut parts = parent.splitn(5, '-');
    let version = hexadecimal(parts.next()?, 2)?;
    let trace = hexadecimal(parts.next()?, 32)?;
    let span = hexadecimal(parts.next()?, 16)?;
    let flags = hexadecimal(parts.next()?, 2)?;
    if version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    Some((
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        flags,
    ))
}

fn hexadecimal(part: &str, digits: usize) -> Option<&str> {
    let is_digit = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (part.len() == digits && part.bytes().all(is_digit)).then_some(part)
}

/// Returns the state of the caller's tracing systems; an empty one where it is long or malformed.
fn state(headers: &HeaderMap) -> TraceState {
    let values = headers.get_all(TRACE_STATE).iter();
    let values: Result<Vec<&str>, _> = values.map(HeaderValue::to_str).collect();
    let whole = values.unwrap_or_default().join(",");
    if whole.len() > TRACE_STATE_BYTES {
        return TraceState::default();
    }
    TraceState::from_str(&whole).unwrap_or_default()
}
