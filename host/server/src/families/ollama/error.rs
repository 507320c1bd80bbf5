//! Ollama's form of an error: a text.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::json::json_response;

/// An error, as Ollama's clients read it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaError)]
pub(crate) struct ErrorBody {
    pub(crate) error: String,
}

/// Puts an error into Ollama's form, which has no member for the field at fault: the text names it.
pub(crate) fn body(error: &ApiError) -> ErrorBody {
    ErrorBody {
        error: error.text(),
    }
}

/// Makes the answer that says an error.
pub(crate) fn render(error: &ApiError) -> Response {
    json_response(error.status, &body(error))
}
