//! OpenAI's form of an error: an object with four members, within `error`.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::json::json_response;

/// An error, as OpenAI's clients read it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiError)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorObject,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiErrorObject)]
pub(crate) struct ErrorObject {
    pub(crate) message: String,
    r#type: &'static str,
    /// The field at fault.
    pub(crate) param: Option<String>,
    pub(crate) code: String,
}

/// Puts an error into OpenAI's form.
pub(crate) fn body(error: &ApiError) -> ErrorBody {
    let code = match error.code {
        // The names by which clients recognise what they can do something about.
        "model.unknown" => "model_not_found",
        "auth.missing" | "auth.invalid" => "invalid_api_key",
        "limit.rate" | "limit.address" | "limit.concurrent" => "rate_limit_exceeded",
        _ if error.is_too_long => "context_length_exceeded",
        code => code,
    };
    ErrorBody {
        error: ErrorObject {
            message: error.message.to_string(),
            r#type: type_of(error.status),
            param: error.param.as_deref().map(str::to_owned),
            code: code.to_owned(),
        },
    }
}

/// Makes the answer that says an error.
pub(crate) fn render(error: &ApiError) -> Response {
    json_response(error.status, &body(error))
}

fn type_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "server_error",
    }
}
