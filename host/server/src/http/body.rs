//! Bodies of requests, within a bound.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_ENCODING;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::http::json::read_json;
use crate::service::Service;

/// A whole body, at most as large as the settings allow.
pub(crate) struct Raw(pub(crate) Bytes);

/// A body of JSON, whatever media type the caller names.
pub(crate) struct Json<T>(pub(crate) T);

impl FromRequest<Service> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Service) -> Result<Self, ApiError> {
        let allowed = service.settings().body;
        let most = usize::try_from(allowed.bytes()).unwrap_or(usize::MAX);
        // A length that is announced is believed when it is too large: nothing of the body is read.
        let announced = hyper::body::Body::size_hint(request.body()).lower();
        if announced > allowed.bytes() {
            return Err(ApiError::body_too_large(allowed));
        }
        if let Some(coding) = request.headers().get(CONTENT_ENCODING)
            && coding != "identity"
        {
            // The layer that unpacks takes the header away.
            return Err(ApiError::media_type(
                "the body is packed in a way that is not unpacked here; send it as it is, or by gzip or deflate",
            ));
        }
        // Without axum's own bound of 2 MB, which is less than a photo.
        let body = Limited::new(request.into_body(), most);
        let read = tokio::time::timeout(service.settings().body_time, body.collect());
        let collected = read.await.map_err(|_| ApiError::body_timeout())?;
        match collected {
            Ok(whole) => Ok(Self(whole.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(ApiError::body_too_large(allowed)),
            Err(error) => Err(ApiError::json(format!(
                "the body could not be read: {error}"
            ))),
        }
    }
}

impl<T: DeserializeOwned> FromRequest<Service> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Service) -> Result<Self, ApiError> {
        let Raw(bytes) = Raw::from_request(request, service).await?;
        read_json(&bytes).map(Self)
    }
}
