//! Answers that are written without hyper: for requests that it cannot read, and for connections that there is no room for.

use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, CONTENT_LENGTH};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;

use crate::error::ApiError;
use crate::families;
use crate::request::context::{Context, REQUEST_ID};
use crate::request::family::Family;

/// Returns the family that the first bytes of a request ask: those of `POST /v1/…`, whole or cut.
pub(super) fn family_of(head: &[u8]) -> Family {
    let line = head.split(|byte| byte.is_ascii_control()).next();
    let mut words = line.unwrap_or_default().split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let path = words.next().unwrap_or_default();
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
    Family::of(text(method), text(path))
}

/// Returns a whole answer that says this error, and that the connection ends.
pub(super) fn answer(family: Family, error: &ApiError) -> Vec<u8> {
    let (mut head, body) = families::render(family, error).into_parts();
    // Rendered errors are in memory.
    let body = body.collect().now_or_never().and_then(Result::ok);
    let body = body.map_or(Bytes::new(), |body| body.to_bytes());
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    head.headers
        .insert(CONNECTION, HeaderValue::from_static("close"));
    if let Ok(id) = HeaderValue::from_str(Context::new(family, None).id()) {
        head.headers.insert(REQUEST_ID, id);
    }
    let mut whole = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            whole.extend_from_slice(part);
        }
    }
    whole.extend_from_slice(b"\r\n");
    whole.extend_from_slice(&body);
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_known_from_the_first_bytes() {
        for (head, family) in [
            (&b"POST /v1/embeddings HTTP/1.1\r\n"[..], Family::OpenAi),
            (b"GET /api", Family::Ollama),
            (b"POST / HTTP/1.1", Family::Tei),
            (b"GET /v2?x=/v1/ HTTP/1.1", Family::Inference),
            (b"\x16\x03\x01 /v1/ ", Family::Native),
            (b"", Family::Native),
            (b"GET \xff\xfe HTTP/1.1", Family::Native),
        ] {
            assert_eq!(family_of(head), family, "{}", head.escape_ascii());
        }
    }
}
