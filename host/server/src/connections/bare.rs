//! Answers that are written without hyper: for requests that it cannot read, and for connections that there is no room for.

use std::net::SocketAddr;

use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, CONTENT_LENGTH};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::BodyExt as _;

use crate::connections::progress::Progress;
use crate::error::ApiError;
use crate::families;
use crate::http::{observation, security_headers};
use crate::request::context::{Context, REQUEST_ID};
use crate::request::family::Family;
use crate::service::Service;

/// Refuses what one peer sends, and tells the metrics and the access log of each refusal.
#[derive(Clone, Debug)]
pub(super) struct Refuser {
    pub(super) service: Service,
    pub(super) peer: SocketAddr,
}

impl Refuser {
    /// Returns a whole answer that says this error, and that the connection ends.
    pub(super) fn refuse(&self, progress: &Progress, error: &ApiError) -> Vec<u8> {
        let context = Context::new(progress.family(), None);
        let (head, body) = rendered(&context, error);
        let bytes = body.len() as u64;
        observation::refused_unread(
            &self.service,
            &context,
            self.peer,
            error,
            bytes,
            progress.age(),
        );
        [head, body.to_vec()].concat()
    }
}

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

/// Returns the head and the body of an answer that says this error, and that the connection ends.
fn rendered(context: &Context, error: &ApiError) -> (Vec<u8>, Bytes) {
    let (mut head, body) = families::render(context.family(), error).into_parts();
    // Rendered errors are in memory.
    let body = body.collect().now_or_never().and_then(Result::ok);
    let body = body.map_or(Bytes::new(), |body| body.to_bytes());
    security_headers::add(&mut head.headers, false);
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    head.headers
        .insert(CONNECTION, HeaderValue::from_static("close"));
    if let Ok(id) = HeaderValue::from_str(context.id()) {
        head.headers.insert(REQUEST_ID, id);
    }
    let mut lines = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines.extend_from_slice(b"\r\n");
    (lines, body)
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
