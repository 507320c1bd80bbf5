//! Errors of denials: the one place that decides what a client learns of a reason.

use std::time::Duration;

use ampoule_access::{Denial, DenialKind, Reason};
use axum::http::StatusCode;

use crate::error::ApiError;
use crate::said::{Said, said};

/// Challenge of a request without a credential (RFC 6750, section 3).
const BEARER: &str = "Bearer realm=\"ampoule\"";
const INVALID: &str = "Bearer realm=\"ampoule\", error=\"invalid_token\"";
const FORBIDDEN: &str = "Bearer realm=\"ampoule\", error=\"insufficient_scope\"";

/// Time after which a caller with too many requests at one time should ask again.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// Makes the error of a denial. All reasons of one kind give the same error.
pub(crate) fn error_of(denial: Denial) -> ApiError {
    let wait = millis(denial.wait.unwrap_or(SHORT_WAIT));
    match denial.reason.kind() {
        DenialKind::Missing => unauthorized(
            "auth.missing",
            BEARER,
            "an API key or a token is needed; send it in the header Authorization, as a bearer token",
        ),
        DenialKind::Invalid => unauthorized(
            "auth.invalid",
            INVALID,
            "the API key or token in the header Authorization is not accepted; get another from whoever runs this \
             server or signs you in",
        ),
        DenialKind::Forbidden => ApiError {
            challenge: Some(FORBIDDEN),
            ..ApiError::new(
                StatusCode::FORBIDDEN,
                "auth.forbidden",
                "the role of this API key or token does not allow this request; ask whoever runs this server for \
                 another role",
            )
        },
        DenialKind::PlainHttp => ApiError::new(
            StatusCode::FORBIDDEN,
            "auth.plain-http",
            "the credential came without TLS, so others could have read it; send it to an address that begins with \
             https://, and ask whoever runs this server for a new one",
        ),
        DenialKind::Forwarded => ApiError::new(
            StatusCode::BAD_REQUEST,
            "input.forwarded",
            "the headers of proxies contradict each other; have them repaired by whoever runs the proxy",
        ),
        DenialKind::Rate => too_many("limit.rate", wait, rate_message(denial.reason, wait)),
        DenialKind::Address => too_many("limit.address", wait, rate_message(denial.reason, wait)),
        DenialKind::Concurrent => too_many(
            "limit.concurrent",
            wait,
            "as many requests are being answered for this API key or token as may be at one time; wait for one to end",
        ),
    }
}

fn unauthorized(code: &'static str, challenge: &'static str, message: &'static str) -> ApiError {
    ApiError {
        challenge: Some(challenge),
        ..ApiError::new(StatusCode::UNAUTHORIZED, code, message)
    }
}

fn rate_message(reason: Reason, wait: u32) -> Said {
    let seconds = wait.div_ceil(1_000);
    match reason {
        Reason::Rate(scope, unit) => said!(
            "the rate limit of this {} in {} is used up; ask again in {} s",
            scope.name(),
            unit.name(),
            seconds
        ),
        Reason::Failures => said!(
            "too many credentials from this address were not accepted; repair the API key, and ask again in {} s",
            seconds
        ),
        _ => said!(
            "this address has too many requests in work; ask again in {} s",
            seconds
        ),
    }
}

fn too_many(code: &'static str, wait: u32, message: impl Into<Said>) -> ApiError {
    ApiError {
        retry_after: Some(wait),
        ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, code, message)
    }
}

/// Returns whole milliseconds that are at least as long, and at least one.
fn millis(wait: Duration) -> u32 {
    let whole = wait.as_nanos().div_ceil(1_000_000);
    u32::try_from(whole.max(1)).unwrap_or(u32::MAX)
}
