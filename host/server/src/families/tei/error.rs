//! The form of an error of text-embeddings-inference: a text and a word for its kind.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::json::json_response;

/// The code of an error that text-embeddings-inference calls `Empty`.
pub(crate) const EMPTY: &str = "input.empty";

/// An error, as the clients of text-embeddings-inference read it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeiError)]
pub(crate) struct ErrorBody {
    error: String,
    /// `Validation`, `Empty`, `Overloaded`, `Unhealthy` or `Backend`.
    error_type: &'static str,
}

/// Makes the answer that says an error. Inputs that are too many or too long have the status of that server.
pub(crate) fn render(error: &ApiError) -> Response {
    let body = ErrorBody {
        error: error.text(),
        error_type: type_of(error),
    };
    let status = if error.is_too_long {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        error.status
    };
    json_response(status, &body)
}

fn type_of(error: &ApiError) -> &'static str {
    match error.status {
        _ if error.code == EMPTY => "Empty",
        StatusCode::TOO_MANY_REQUESTS => "Overloaded",
        StatusCode::SERVICE_UNAVAILABLE => "Unhealthy",
        _ if error.code.starts_with("limit.") => "Backend",
        status if status.is_client_error() => "Validation",
        _ => "Backend",
    }
}
