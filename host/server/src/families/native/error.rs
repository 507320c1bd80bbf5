//! The error of Ampoule's own routes: an object with a dotted code, within `error`.

use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::http::json::json_response;

/// An error of Ampoule's own routes, and of routes that do not exist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeError)]
pub(crate) struct ErrorBody {
    pub(crate) error: ErrorObject,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeErrorObject)]
pub(crate) struct ErrorObject {
    /// A stable, dotted code, such as `limit.fuel`.
    code: String,
    /// The expectation, the fault, and the way out, for people.
    message: String,
    /// The field of the request that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    param: Option<String>,
    /// True when the same request may succeed later.
    is_retryable: bool,
}

/// Puts an error into this family's form.
pub(crate) fn body(error: &ApiError) -> ErrorBody {
    ErrorBody {
        error: ErrorObject {
            code: error.code.to_owned(),
            message: error.message.to_string(),
            param: error.param.as_deref().map(str::to_owned),
            is_retryable: error.is_retryable(),
        },
    }
}

/// Makes the answer that says an error.
pub(crate) fn render(error: &ApiError) -> Response {
    json_response(error.status, &body(error))
}
