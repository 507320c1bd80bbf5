//! A picture in, labels out.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::classification;
use crate::core::place::Place;
use crate::error::ApiError;
use crate::families::native::call::{self, CallLimits, CallReport};
use crate::families::native::error::ErrorBody;
use crate::families::native::form::{Form, FormSchema, IMAGE, Pixels, read_pictures};
use crate::http::json::json_response;
use crate::http::name::Name;
use crate::http::text_or::TextOr;
use crate::request::context::Context;
use crate::said::said;
use crate::service::Service;

/// Labels of one picture by default.
const DEFAULT_LABELS: u32 = 5;

/// A picture for a model. Fields that are not named here are refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NativeImage)]
pub(crate) struct Image {
    /// The picture. A form has it as its part `image`.
    image: Option<TextOr<Pixels>>,
    /// The most labels; 5 by default.
    top_k: Option<u32>,
    limits: Option<CallLimits>,
    /// True refuses the request on a host that does not give the same bits on every machine.
    deterministic: Option<bool>,
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

/// Names what is in a picture, of JSON or of a form.
#[utoipa::path(
    post,
    path = "/ampoule/v1/models/{name}/image-classification",
    tag = "Ampoule",
    operation_id = "native_image_classification",
    params(("name" = String, Path, description = "A model's name or alias; a slash in it is written %2F")),
    request_body(content((Image = "application/json"), (FormSchema = "multipart/form-data"))),
    responses((status = 200, body = Labels), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn classify(
    State(service): State<Service>,
    Name(name): Name,
    context: Context,
    form: Form<Image>,
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
    let (pictures, files) = (request.image.into_iter().collect(), form.images);
    let place = Place::one(IMAGE);
    let read = service.work_on_body(&context, move |service| {
        read_pictures(pictures, files, place, service)
    });
    let image = only_one(read.await?, place)?;
    let top_k = request.top_k.unwrap_or(DEFAULT_LABELS);
    let answer = classification::classify(&model, &context, image, top_k).await;
    let answer = answer.map_err(|error| place.name(&(0..1), 1, error.into()))?;
    let labels = answer.labels.into_iter();
    let labels = labels.map(|(name, score)| Label { name, score });
    let labels = Labels {
        labels: labels.collect(),
        call: CallReport::new(&model, None, answer.report.as_slice()),
    };
    if let Some(index) = labels
        .labels
        .iter()
        .position(|label| !label.score.is_finite())
    {
        return Err(ApiError::broken_answer(said!(
            "the model's score for label {} is no finite number; tell its publisher",
            index
        )));
    }
    Ok(json_response(StatusCode::OK, &labels))
}

fn only_one(images: Vec<ampoule::Image>, place: Place<'_>) -> Result<ampoule::Image, ApiError> {
    match <[ampoule::Image; 1]>::try_from(images) {
        Ok([image]) => Ok(image),
        Err(_) => Err(place.invalid("one picture is expected")),
    }
}
