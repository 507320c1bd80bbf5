//! The guard in front of all routes against requests by a foreign name, and by pages of other sites.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::ApiError;
use crate::service::Service;

/// Answers a request unless it calls this server by a foreign name, or comes from a page of another site.
pub(crate) async fn guard(
    State(service): State<Service>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let names = &service.settings().host_names;
    names.check(&request)?;
    names.check_origin(&request)?;
    Ok(next.run(request).await)
}
