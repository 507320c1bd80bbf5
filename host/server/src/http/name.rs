//! The name of a model in a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::error::ApiError;

/// The one parameter of a path, decoded. Encoded slashes and dots are characters of the name: they choose no other route.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // Bytes that are no UTF-8 are no model's name either.
        let name = Path::<String>::from_request_parts(parts, state).await;
        let name = name.map_err(|_| ApiError::unknown_model())?;
        Ok(Self(name.0))
    }
}
