//! The guard in front of all routes against requests by a foreign name, and by pages of other sites.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::ApiError;
use crate::http::cors;
use crate::service::Service;

/// Answers a request unless it calls this server by a foreign name, or comes from a page of another site that has no
/// leave.
pub(crate) async fn guard(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let settings = service.settings();
    settings.host_names.check(&request)?;
    match cors::allowed(&settings.cors_origins, request.headers()) {
        None => settings.host_names.check_origin(&request)?,
        Some(_) if cors::is_preflight(&request) => return Ok(cors::preflight(request.headers())),
        Some(_) => {}
    }
    Ok(next.run(request).await)
}
