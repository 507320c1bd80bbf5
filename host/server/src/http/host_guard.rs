//! The guard in front of all routes against requests by a foreign name.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::ApiError;
use crate::service::Service;

/// Answers a request unless it calls this server by a foreign name.
pub(crate) async fn guard(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    service.settings().host_names.check(&request)?;
    Ok(next.run(request).await)
}
