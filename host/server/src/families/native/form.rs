//! Requests with pictures: JSON, or a form with picture files.

use ampoule::Image;
use axum::RequestExt as _;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use crate::core::picture;
use crate::core::place::Place;
use crate::error::ApiError;
use crate::http::body::Raw;
use crate::http::json::read_json;
use crate::http::text_or::TextOr;
use crate::said::{Said, said};
use crate::service::Service;

/// The part of a form that holds the request's other fields, as JSON.
const REQUEST: &str = "request";

/// The parts of a form that hold pictures, and the field of JSON for one.
pub(crate) const IMAGE: &str = "image";

/// The field of JSON for several pictures.
pub(crate) const IMAGES: &str = "images";

/// A request, with the picture files of a form.
pub(crate) struct Form<T> {
    pub(crate) request: T,
    /// The parts `image`, in their order; none of a body of JSON.
    pub(crate) images: Vec<Image>,
}

/// A form: the request's fields as JSON, and picture files.
#[derive(Debug, ToSchema)]
#[schema(as = NativeForm)]
#[allow(dead_code, reason = "it describes a form")]
pub(crate) struct FormSchema {
    /// The fields of the request but for its pictures, as JSON.
    #[schema(required = false)]
    request: String,
    /// PNG, JPEG or WebP files.
    #[schema(value_type = Vec<String>, format = Binary)]
    image: Vec<Vec<u8>>,
}

impl<T: DeserializeOwned + Send + 'static> FromRequest<Service> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Service) -> Result<Self, ApiError> {
        let media_type = request.headers().get(CONTENT_TYPE).cloned();
        let form = media_type.filter(|value| {
            let name = value.as_bytes().split(|byte| *byte == b';').next();
            name.is_some_and(|name| {
                name.trim_ascii()
                    .eq_ignore_ascii_case(b"multipart/form-data")
            })
        });
        let Raw(bytes) = Raw::from_request(request, service).await?;
        let Some(media_type) = form else {
            return Ok(Self {
                request: read_off(bytes, service).await?,
                images: Vec::new(),
            });
        };
        let mut whole = Request::new(Body::from(bytes));
        whole.headers_mut().insert(CONTENT_TYPE, media_type);
        // The bytes are here already, within the bound of the settings.
        DefaultBodyLimit::disable().apply(&mut whole);
        let parts = whole.extract::<Multipart, _>().await;
        let parts = parts.map_err(|_| broken())?;
        read_form(parts, service).await
    }
}

/// Reads JSON, off the threads that serve all requests where it is large.
async fn read_off<T: DeserializeOwned + Send + 'static>(
    json: Bytes,
    service: &Service,
) -> Result<T, ApiError> {
    let read = service.readers().work(json.len(), move || read_json(&json));
    read.await
}

/// Refuses bytes that are no form. The reader's own words would repeat parts of them.
fn broken() -> ApiError {
    ApiError::form(
        "the body is not the form that its Content-Type says: parts between its boundary are expected, each with the \
         header Content-Disposition, and the boundary with two hyphens at the end",
    )
}

async fn read_form<T: DeserializeOwned + Send + 'static>(
    mut parts: Multipart,
    service: &Service,
) -> Result<Form<T>, ApiError> {
    let most = service.host().limits().images;
    let mut request = None;
    let mut images = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
        match part.name() {
            Some(REQUEST) if request.is_none() => {
                request = Some(part.bytes().await.map_err(|_| broken())?);
            }
            Some(IMAGE) if images.len() < most => {
                let bytes = part.bytes().await.map_err(|_| broken())?;
                images.push(Image::Encoded(bytes.to_vec()));
            }
            Some(IMAGE) => {
                let message = said!(
                    "`image`: {} pictures are allowed in one request, and there are more",
                    most
                );
                return Err(ApiError::invalid(IMAGE, message));
            }
            Some(REQUEST) => {
                return Err(ApiError::invalid(
                    REQUEST,
                    "`request`: this part may come once",
                ));
            }
            _ => {
                let message = "a form has a part `request`, of JSON, and parts `image`, of picture files; another was found";
                return Err(ApiError::form(message));
            }
        }
    }
    let request = request.unwrap_or_else(|| "{}".into());
    Ok(Form {
        request: read_off(request, service).await?,
        images,
    })
}

/// Pixels: red, green and blue, one byte each, row by row from the top left.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativePixels)]
pub(crate) struct Pixels {
    width: u32,
    height: u32,
    /// `width × height × 3` bytes, in base64.
    pixels: String,
}

/// Returns the pictures of a request, at least one: the files of its form, and then those of its JSON at this place.
pub(crate) fn read_pictures(
    pictures: Vec<TextOr<Pixels>>,
    files: Vec<Image>,
    place: Place<'_>,
    service: &Service,
) -> Result<Vec<Image>, ApiError> {
    let mut images = files;
    for (index, picture) in pictures.into_iter().enumerate() {
        images.push(read_picture(picture, &place.item(index), service)?);
    }
    if images.is_empty() {
        return Err(place.invalid("at least one picture is expected"));
    }
    Ok(images)
}

/// Reads a picture: a PNG, JPEG or WebP file, in base64 or as a `data:` address, or pixels. `param` names its field in errors.
pub(crate) fn read_picture(
    picture: TextOr<Pixels>,
    param: &Said,
    service: &Service,
) -> Result<Image, ApiError> {
    let limits = service.host().limits();
    match picture {
        TextOr::Text(text) => picture::from_base64(&text, param, limits),
        TextOr::Other(Pixels {
            width,
            height,
            pixels,
        }) => {
            let pixels = STANDARD.decode(&pixels).map_err(|_| {
                let message = said!("`{}.pixels`: bytes are expected in base64", param);
                ApiError::invalid(said!("{}.pixels", param), message)
            })?;
            Ok(Image::Rgb8 {
                width,
                height,
                pixels,
            })
        }
    }
}
