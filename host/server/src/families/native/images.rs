//! Pictures in, vectors or labels out.

use ampoule::{Image, Usage};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::embedding;
use crate::error::ApiError;
use crate::families::native::call::{self, CallLimits, CallReport};
use crate::families::native::error::ErrorBody;
use crate::families::native::form::{Form, FormSchema, Pixels, read_picture};
use crate::http::json::json_response;
use crate::http::name::Name;
use crate::http::text_or::TextOr;
use crate::request::context::Context;
use crate::service::Service;

/// Labels of one picture by default.
const DEFAULT_LABELS: u32 = 5;

/// Pictures for a model. Fields that are not named here are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeImages)]
pub(crate) struct EmbedRequest {
    /// The pictures. A form has them as its parts `image`.
    images: Option<Vec<TextOr<Pixels>>>,
    limits: Option<CallLimits>,
    /// True refuses the request on a host that does not give the same bits on every machine.
    deterministic: Option<bool>,
}

/// A picture for a model. Fields that are not named here are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeImage)]
pub(crate) struct ClassifyRequest {
    /// The picture. A form has it as its part `image`.
    image: Option<TextOr<Pixels>>,
    /// The most labels; 5 by default.
    top_k: Option<u32>,
    limits: Option<CallLimits>,
    /// True refuses the request on a host that does not give the same bits on every machine.
    deterministic: Option<bool>,
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

/// The labels that fit a picture best, the likeliest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeLabels)]
pub(crate) struct Labels {
    labels: Vec<Label>,
    #[serde(flatten)]
    call: CallReport,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NativeLabel)]
pub(crate) struct Label {
    name: String,
    /// The likelihood, from 0 to 1.
    score: f32,
}

/// Embeds pictures, of JSON or of a form.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/image-embedding",
    tag = "Ampoule",
    operation_id = "native_image_embedding",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body(content((EmbedRequest = "application/json"), (FormSchema = "multipart/form-data"))),
    responses((status = 200, body = Vectors), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn embed(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    form: Form<EmbedRequest>,
) -> Result<Response, ApiError> {
    let request = form.request;
    let pictures = request.images.unwrap_or_default().into_iter().enumerate();
    let pictures = pictures
        .map(|(index, picture)| read_picture(picture, &format!("images[{index}]"), &service));
    let mut images = form.images;
    for picture in pictures {
        images.push(picture?);
    }
    if images.is_empty() {
        return Err(ApiError::invalid(
            "images",
            "`images`: at least one picture is expected",
        ));
    }
    let model = call::model(
        &service,
        &context,
        &name,
        request.limits,
        request.deterministic,
    )?;
    let embeddings = embedding::images(&model, &context, images).await?;
    let answer = Vectors {
        dimensions: embeddings.dimensions,
        vectors: embeddings.vectors().map(<[f32]>::to_vec).collect(),
        call: CallReport::new(&model, Some(embeddings.usage), &embeddings.reports),
    };
    Ok(json_response(StatusCode::OK, &answer))
}

/// Names what is in a picture, of JSON or of a form.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/image-classification",
    tag = "Ampoule",
    operation_id = "native_image_classification",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body(content((ClassifyRequest = "application/json"), (FormSchema = "multipart/form-data"))),
    responses((status = 200, body = Labels), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn classify(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    form: Form<ClassifyRequest>,
) -> Result<Response, ApiError> {
    let request = form.request;
    let image = only_one(request.image, form.images, &service)?;
    let model = call::model(
        &service,
        &context,
        &name,
        request.limits,
        request.deterministic,
    )?;
    let top_k = request.top_k.unwrap_or(DEFAULT_LABELS);
    let answer = model.classify_image(image, top_k).await?;
    context.note(&answer.sandbox, Usage::default());
    let labels = answer.output.into_iter().map(|label| Label {
        name: label.name,
        score: label.score,
    });
    let labels = Labels {
        labels: labels.collect(),
        call: CallReport::new(&model, None, std::slice::from_ref(&answer.sandbox)),
    };
    if let Some(index) = labels
        .labels
        .iter()
        .position(|label| !label.score.is_finite())
    {
        return Err(ApiError::broken_answer(format!(
            "the model's score for label {index} is no finite number; tell its publisher"
        )));
    }
    Ok(json_response(StatusCode::OK, &labels))
}

/// Returns the picture of a request, which has one in its JSON or in its form.
fn only_one(
    picture: Option<TextOr<Pixels>>,
    mut files: Vec<Image>,
    service: &Service,
) -> Result<Image, ApiError> {
    match (picture, files.pop(), files.is_empty()) {
        (Some(picture), None, _) => read_picture(picture, "image", service),
        (None, Some(file), true) => Ok(file),
        _ => Err(ApiError::invalid(
            "image",
            "`image`: one picture is expected",
        )),
    }
}
