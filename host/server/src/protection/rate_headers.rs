//! Headers by which clients see what is left of their limits: those of OpenAI's service, and those that the IETF is
//! writing down (draft-ietf-httpapi-ratelimit-headers, version 10).

use std::time::Duration;

use ampoule_access::{Standing, Window};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Names of the headers of one unit.
struct Names {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
}

const REQUESTS: Names = Names {
    limit: HeaderName::from_static("x-ratelimit-limit-requests"),
    remaining: HeaderName::from_static("x-ratelimit-remaining-requests"),
    reset: HeaderName::from_static("x-ratelimit-reset-requests"),
};

const TOKENS: Names = Names {
    limit: HeaderName::from_static("x-ratelimit-limit-tokens"),
    remaining: HeaderName::from_static("x-ratelimit-remaining-tokens"),
    reset: HeaderName::from_static("x-ratelimit-reset-tokens"),
};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Adds the headers of the limits that there are. Those of the IETF are of requests: it has no unit for tokens.
pub(crate) fn add(headers: &mut HeaderMap, standing: &Standing) {
    for (names, window) in [(REQUESTS, &standing.requests), (TOKENS, &standing.tokens)] {
        if let Some(window) = window {
            add_window(headers, names, window);
        }
    }
    if let Some(window) = &standing.requests {
        add_fields(headers, window);
    }
}

/// Adds structured fields (RFC 9651): the rate, and what is left of it.
fn add_fields(headers: &mut HeaderMap, window: &Window) {
    let name = window.scope.name();
    let period = whole_seconds(window.period);
    let policy = format!("\"{name}\";q={};w={period}", window.limit);
    let reset = whole_seconds(window.reset);
    let left = format!("\"{name}\";r={};t={reset}", window.remaining);
    for (header, value) in [(POLICY, policy), (LEFT, left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
}

/// Returns whole seconds that are at least as long.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn add_window(headers: &mut HeaderMap, names: Names, window: &Window) {
    headers.insert(names.limit, HeaderValue::from(window.limit));
    headers.insert(names.remaining, HeaderValue::from(window.remaining));
    if let Ok(reset) = HeaderValue::try_from(time(window.reset)) {
        headers.insert(names.reset, reset);
    }
}

/// Writes a time as clients of these headers read it: `20ms`, `1s`, `6m0s`, `1h0m5s`. Over a second it is rounded up.
fn time(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_millis());
    }
    let whole = whole_seconds(time);
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use ampoule_access::LimitScope;

    use super::*;

    #[test]
    fn a_rate_and_its_rest_are_structured_fields() {
        let standing = Standing {
            requests: Some(Window {
                scope: LimitScope::Tenant,
                limit: 100,
                period: Duration::from_secs(60),
                remaining: 72,
                reset: Duration::from_millis(11_200),
            }),
            tokens: None,
        };
        let mut headers = HeaderMap::new();
        add(&mut headers, &standing);
        let value = |name| headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(value(POLICY), Some("\"tenant\";q=100;w=60"));
        assert_eq!(value(LEFT), Some("\"tenant\";r=72;t=12"));
        assert_eq!(value(TOKENS.limit), None);
    }

    #[test]
    fn times_are_written_as_clients_read_them() {
        for (millis, expected) in [
            (0, "0ms"),
            (20, "20ms"),
            (999, "999ms"),
            (1_000, "1s"),
            (1_001, "2s"),
            (60_000, "1m0s"),
            (360_000, "6m0s"),
            (3_605_000, "1h0m5s"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), expected);
        }
    }
}
