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

/// Puts an error into Ollama's form. Its clients look for the words of a model that is not there, to offer to fetch it.
pub(crate) fn body(error: &ApiError) -> ErrorBody {
    ErrorBody {
        error: error.message.clone(),
    }
}

/// Makes the answer that says an error.
pub(crate) fn render(error: &ApiError) -> Response {
    json_response(error.status, &body(error))
}
