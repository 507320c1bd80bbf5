//! Headers by which browsers do no more with an answer than it is for.

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::host_names::is_of_this_machine;
use crate::tls::Secured;

/// Headers of each answer that says nothing else by a header of the same name. Answers are of one caller, so nobody in
/// between may keep them; and they are data, in which a browser is to run nothing.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Lets browsers ask by TLS alone, for a year. It is about a name with all of its ports.
const BY_TLS_ALONE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds the headers that the answer lacks.
pub(crate) fn add(headers: &mut HeaderMap, is_by_tls_alone: bool) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(value);
    }
    if is_by_tls_alone {
        headers.insert(STRICT_TRANSPORT_SECURITY, BY_TLS_ALONE);
    }
}

/// Tells whether browsers may be told to ask this name by TLS alone. Other programs of this machine have the same name
/// where that is `localhost`, and may have no TLS.
pub(crate) fn is_by_tls_alone(request: &Request) -> bool {
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let host = request.uri().authority().cloned().or(host);
    request.extensions().get::<Secured>().is_some()
        && host.is_some_and(|host| !is_of_this_machine(host.host()))
}
