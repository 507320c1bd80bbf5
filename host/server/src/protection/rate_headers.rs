//! Headers by which clients see what is left of their limits, as OpenAI's service names them.

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

/// Adds the headers of the limits that there are.
pub(crate) fn add(headers: &mut HeaderMap, standing: &Standing) {
    for (names, window) in [(REQUESTS, &standing.requests), (TOKENS, &standing.tokens)] {
        if let Some(window) = window {
            add_window(headers, names, window);
        }
    }
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
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
