//! Methods of requests, by which a log, a trace or an error may name one.

use axum::http::Method;

/// Returns the method, if it is one of HTTP's own. Others are words of the caller.
pub(crate) fn known(method: &Method) -> Option<&'static str> {
    const KNOWN: [&str; 9] = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ];
    KNOWN.into_iter().find(|known| *known == method.as_str())
}
