//! The protocol's form of an error: a text.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::json::json_response;

/// An error. Its clients fail on an object in place of the text.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceError)]
pub(crate) struct ErrorBody {
    error: String,
}

/// Makes the answer that says an error.
pub(crate) fn render(error: &ApiError) -> Response {
    let body = ErrorBody {
        error: error.text(),
    };
    json_response(error.status, &body)
}
