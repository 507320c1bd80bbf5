//! JSON in and out.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// Makes an answer of JSON.
pub(crate) fn json_response(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(error) => {
            tracing::error!(target: "ampoule::server", %error, "an answer could not be written as JSON");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// Reads JSON, whatever media type the caller names: curl names that of forms, and tritonclient none. A fault names the
/// field.
pub(crate) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer);
    let value = value.map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        if inner.is_data() && path != "." {
            let message = format!("`{path}`: {inner}");
            ApiError::invalid(path, message)
        } else {
            ApiError::json(format!(
                "the body is not the JSON that is expected here: {inner}"
            ))
        }
    })?;
    let end = deserializer.end();
    end.map_err(|error| ApiError::json(format!("the body goes on after its JSON value: {error}")))?;
    Ok(value)
}
