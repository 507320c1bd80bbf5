//! The greeting at `/`, and the version.

use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::json::json_response;
use crate::page;

/// The text by which health checks know an Ollama server.
const GREETING: &str = "Ollama is running";

/// The version of Ollama's API that these routes follow, with our own behind it. Clients compare the first part, and
/// refuse a server that is older than they are.
const VERSION: &str = concat!("0.12.0+ampoule.", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaVersion)]
pub(crate) struct Version {
    /// The version of Ollama's API, and after `+ampoule.` the server's own.
    version: &'static str,
}

/// Greets Ollama's clients, and shows the page to those who accept HTML.
#[utoipa::path(
    get,
    path = "/",
    tag = "Ollama",
    operation_id = "ollama_root",
    responses((
        status = 200,
        description = "The text `Ollama is running`, or the page",
        content((String = "text/plain"), (String = "text/html")),
    )),
)]
pub(crate) async fn root(headers: HeaderMap) -> Response {
    let mut response = if accepts_html(&headers) {
        page::index(&headers)
    } else {
        greeting()
    };
    let accept = HeaderValue::from_static("accept");
    response.headers_mut().insert(VARY, accept);
    response
}

/// Tells the version of Ollama's API.
#[utoipa::path(
    get,
    path = "/api/version",
    tag = "Ollama",
    operation_id = "ollama_version",
    responses((status = 200, body = Version)),
)]
pub(crate) async fn version() -> Response {
    json_response(StatusCode::OK, &Version { version: VERSION })
}

fn greeting() -> Response {
    let mut response = Response::new(GREETING.into());
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

/// Tells whether a caller names HTML among the types that it reads. Programs say `*/*` or nothing.
fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter();
    let mut types = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    types.any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/html")
    })
}
