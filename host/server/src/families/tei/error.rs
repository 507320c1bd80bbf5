//! The form of an error of text-embeddings-inference: a text and a word for its kind.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::json::json_response;

/// An error, as the clients of text-embeddings-inference read it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeiError)]
pub(crate) struct ErrorBody {
    error: String,
    /// `Validation`, `Empty`, `Overloaded`, `Unhealthy` or `Backend`.
    error_type: &'static str,
}

/// Makes the answer that says an error.
pub(crate) fn render(error: &ApiError) -> Response {
    let body = ErrorBody {
        error: error.text(),
        error_type: type_of(error),
    };
    json_response(error.status, &body)
}

fn type_of(error: &ApiError) -> &'static str {
    match error.status {
        _ if error.code == super::inputs::EMPTY => "Empty",
        StatusCode::TOO_MANY_REQUESTS => "Overloaded",
        StatusCode::SERVICE_UNAVAILABLE => "Unhealthy",
        _ if error.code.starts_with("limit.") => "Backend",
        status if status.is_client_error() => "Validation",
        _ => "Backend",
    }
}
