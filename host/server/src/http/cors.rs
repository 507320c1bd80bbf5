//! Leave for pages of other origins (Fetch Standard, section 3.3), by an exact list.
//!
//! A browser asks before it sends what OpenAI's client sends, and is answered before any credential is looked at: it sends
//! none with that question. Cookies are never let in, and nothing here reads one.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;

use crate::cors_origin::CorsOrigin;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, DELETE");

/// Headers that a page may send, beside those that begin with one of [`PREFIXES`].
const SENT: [&str; 5] = [
    "accept",
    "authorization",
    "content-type",
    "user-agent",
    "x-request-id",
];

/// Beginnings of the names of headers that the clients' libraries add.
const PREFIXES: [&str; 3] = ["openai-", "x-stainless-", "inference-"];

/// Headers that a page may read, beside those that every page may.
const READ: HeaderValue = HeaderValue::from_static(
    "x-request-id, retry-after, retry-after-ms, x-should-retry, x-ratelimit-limit-requests, \
     x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, \
     x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens, ratelimit, ratelimit-policy, \
     inference-header-content-length",
);

/// Seconds for which a browser keeps leave.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The most headers that a page asks leave for.
const MAX_ASKED: usize = 64;

/// Returns the origin of a request's page, if it is one of these.
pub(crate) fn allowed<'o>(
    origins: &'o [CorsOrigin],
    headers: &HeaderMap,
) -> Option<&'o CorsOrigin> {
    let mut named = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (named.next(), named.next()) else {
        return None;
    };
    origins
        .iter()
        .find(|allowed| allowed.as_str().as_bytes() == origin.as_bytes())
}

/// Tells whether a browser asks for leave.
pub(crate) fn is_preflight(request: &Request) -> bool {
    *request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Answers a browser that asks for leave for a page that has it.
pub(crate) fn preflight(asked: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    let asked = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let names = asked.filter_map(|names| names.to_str().ok());
    let names = names.flat_map(|names| names.split(',')).map(str::trim);
    let given: Vec<&str> = names
        .take(MAX_ASKED)
        .filter(|name| is_let_in(name))
        .collect();
    if let Ok(given) = HeaderValue::try_from(given.join(", "))
        && !given.is_empty()
    {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, given);
    }
    response
}

fn is_let_in(name: &str) -> bool {
    let Ok(name) = HeaderName::try_from(name) else {
        return false;
    };
    let name = name.as_str();
    SENT.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Gives the page of an answer leave to read it.
pub(crate) fn add(headers: &mut HeaderMap, origins: &[CorsOrigin], page: Option<&CorsOrigin>) {
    if origins.is_empty() {
        return;
    }
    // Whatever keeps the answer is not to hand it to another page.
    headers.append(VARY, HeaderValue::from_name(ORIGIN));
    let Some(page) = page.and_then(|page| HeaderValue::try_from(page.as_str()).ok()) else {
        return;
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
}
