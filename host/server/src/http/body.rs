//! Bodies of requests, within a bound for each and one for all.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_ENCODING;
use bytes::BytesMut;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::http::json::read_json;
use crate::request::context::Context;
use crate::request::room::Room;
use crate::service::Service;

/// Bytes of memory that an announced length is given when the first of it has come. Who announces and sends nothing gets none.
const FIRST_BYTES: u64 = 1 << 20;

/// Bytes that are unpacked before others have their turn. A packed body comes a thousand times as fast as its bytes are
/// sent, and is always ready.
const BYTES_OF_A_TURN: usize = 256 << 10;

/// A whole body, at most as large as the settings allow. Its room among all bodies is taken until the request is answered
/// or its stream begins.
pub(crate) struct Raw(pub(crate) Bytes);

/// A body of JSON, whatever media type the caller names.
pub(crate) struct Json<T>(pub(crate) T);

impl FromRequest<Service> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Service) -> Result<Self, ApiError> {
        let allowed = service.settings().body;
        // A length that is announced is believed when it is too large: nothing of the body is read.
        let announced = request.body().size_hint().lower();
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
        let context = request.extensions().get::<Context>().cloned();
        let mut room = Room::new(service.rooms());
        let first = usize::try_from(announced.min(FIRST_BYTES)).unwrap_or_default();
        let mut whole = BytesMut::new();
        let read = read(request.into_body(), allowed, first, &mut whole, &mut room);
        let read = tokio::time::timeout(service.settings().body_time, read);
        read.await.map_err(|_| ApiError::body_timeout())??;
        if let Some(context) = context {
            context.keep_room(room, whole.len());
        }
        Ok(Self(whole.freeze()))
    }
}

async fn read(
    mut body: Body,
    allowed: ampoule::ByteSize,
    first: usize,
    whole: &mut BytesMut,
    room: &mut Room,
) -> Result<(), ApiError> {
    let mut turn = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            ApiError::json("the body could not be read: it broke off, or is not packed as it says")
        })?;
        // Frames of trailers say nothing here.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let bytes = whole.len().saturating_add(data.len()) as u64;
        if bytes > allowed.bytes() {
            return Err(ApiError::body_too_large(allowed));
        }
        room.grow_to(bytes)?;
        if whole.is_empty() {
            whole.reserve(first);
        }
        whole.extend_from_slice(&data);
        turn += data.len();
        if turn >= BYTES_OF_A_TURN {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<Service> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Service) -> Result<Self, ApiError> {
        let Raw(bytes) = Raw::from_request(request, service).await?;
        let readers = service.readers();
        let read = readers.work(bytes.len(), move || read_json(&bytes).map(Self));
        read.await
    }
}
