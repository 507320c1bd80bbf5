//! Texts or pictures in, vectors out.

use ampoule::Model;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::embedding::{self, Demands, Embeddings};
use crate::core::place::Place;
use crate::error::ApiError;
use crate::families::native::call::{self, CallLimits, CallReport};
use crate::families::native::error::ErrorBody;
use crate::families::native::form::{Form, FormSchema, IMAGES, Pixels, read_pictures};
use crate::families::native::texts::{TEXTS, Texts};
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::http::name::Name;
use crate::http::text_or::TextOr;
use crate::request::context::Context;
use crate::service::Service;

/// Pictures for a model. Fields that are not named here are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeImages)]
pub(crate) struct Images {
    /// The pictures. A form has them as its parts `image`.
    images: Option<Vec<TextOr<Pixels>>>,
    limits: Option<CallLimits>,
    /// True refuses the request on a host that does not give the same bits on every machine.
    deterministic: Option<bool>,
}

/// A vector for each text, in the order of the texts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeTextEmbeddings)]
pub(crate) struct TextVectors {
    #[serde(flatten)]
    vectors: Vectors,
    /// By text, true when it was longer than the model reads and was cut.
    truncated: Vec<bool>,
}

/// A vector for each picture, in the order of the pictures.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeImageEmbeddings)]
pub(crate) struct Vectors {
    dimensions: usize,
    vectors: Vec<Vec<f32>>,
    #[serde(flatten)]
    call: CallReport,
}

impl Vectors {
    fn new(model: &Model, embeddings: &Embeddings) -> Self {
        Self {
            dimensions: embeddings.dimensions,
            vectors: embeddings.vectors().map(<[f32]>::to_vec).collect(),
            call: CallReport::new(model, Some(embeddings.usage), &embeddings.reports),
        }
    }
}

/// Embeds texts, spread over as many sandboxes as keep all cores at work.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/text-embedding",
    tag = "Ampoule",
    operation_id = "native_text_embedding",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body = Texts,
    responses((status = 200, body = TextVectors), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn texts(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    Json(request): Json<Texts>,
) -> Result<Response, ApiError> {
    request.check(&service)?;
    let model = call::model(
        &service,
        &context,
        &name,
        request.limits,
        request.deterministic,
    )?;
    let demands = Demands::none(Place::list(TEXTS));
    let embeddings = embedding::texts(&model, &context, &request.texts, demands).await?;
    let answer = TextVectors {
        vectors: Vectors::new(&model, &embeddings),
        truncated: embeddings.truncated,
    };
    Ok(json_response(StatusCode::OK, &answer))
}

/// Embeds pictures, of JSON or of a form.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/image-embedding",
    tag = "Ampoule",
    operation_id = "native_image_embedding",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body(content((Images = "application/json"), (FormSchema = "multipart/form-data"))),
    responses((status = 200, body = Vectors), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn images(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    form: Form<Images>,
) -> Result<Response, ApiError> {
    let request = form.request;
    // The model first: no picture is decoded for one that is not there.
    let model = call::model(
        &service,
        &context,
        &name,
        request.limits,
        request.deterministic,
    )?;
    let (pictures, files) = (request.images.unwrap_or_default(), form.images);
    let read = service.work_on_body(&context, |service| {
        read_pictures(pictures, files, Place::list(IMAGES), service)
    });
    let images = read.await?;
    let demands = Demands::none(Place::list(IMAGES));
    let embeddings = embedding::images(&model, &context, images, demands).await?;
    let answer = Vectors::new(&model, &embeddings);
    Ok(json_response(StatusCode::OK, &answer))
}
