//! The families of routes, each with its own form of answers and errors over one typed core.

pub(crate) mod inference;
pub(crate) mod native;
pub(crate) mod ollama;
pub(crate) mod openai;
pub(crate) mod openapi;
pub(crate) mod plain;
pub(crate) mod tei;
mod unsupported;

use axum::http::HeaderValue;
use axum::http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::Response;

use crate::error::ApiError;
use crate::request::family::Family;

/// Tells OpenAI's clients whether to repeat a request. They repeat 408, 409, 429 and each 5xx otherwise.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// Tells OpenAI's clients to the millisecond when to ask again. They look at it first.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Makes the answer that says an error to this family's clients.
pub(crate) fn render(family: Family, error: &ApiError) -> Response {
    let mut response = match family {
        Family::OpenAi => openai::error::render(error),
        Family::Ollama => ollama::error::render(error),
        Family::Inference => inference::error::render(error),
        Family::Tei => tei::error::render(error),
        Family::Native => native::error::render(error),
    };
    let headers = response.headers_mut();
    if let Some((millis, seconds)) = error.retry_after.zip(error.retry_after_seconds()) {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        headers.insert(RETRY_AFTER_MS, HeaderValue::from(millis));
    }
    if let Some(challenge) = error.challenge {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    let retry = if error.is_retryable() {
        "true"
    } else {
        "false"
    };
    headers.insert(SHOULD_RETRY, HeaderValue::from_static(retry));
    response
}
