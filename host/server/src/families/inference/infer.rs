//! Inferences: `POST /v2/models/{name}/infer`.

use std::time::Instant;

use ampoule::Task;
use axum::extract::{FromRequest as _, Request};
use axum::response::Response;
use bytes::Bytes;

use crate::error::ApiError;
use crate::families::inference::answer::{self, Choice, Head};
use crate::families::inference::body::{self, Body, Inference};

use crate::families::inference::input::InputTensor;
use crate::families::inference::paths::ModelPath;
use crate::families::inference::request::Parameters;
use crate::families::inference::versions;
use crate::families::inference::{error, parameters, run, tasks};
use crate::http::body::Raw;
use crate::inferences::Measured;
use crate::request::context::Context;
use crate::service::Service;

/// Does one task of a model. The body is JSON, or with the binary extension JSON and the bytes of tensors; an answer in
/// binary is asked for by `binary_data_output`, or for an output by `binary_data`. `versions/{version}` may stand before
/// `infer`.
#[utoipa::path(
    post,
    path = "/v2/models/{name}/infer",
    tag = "Open Inference Protocol",
    operation_id = "inference_infer",
    params(("name" = String, Path, description = "A model's name or alias")),
    request_body = crate::families::inference::request::Request,
    responses(
        (status = 200, content(
            (answer::ResponseBody<'static> = "application/json"),
            (Vec<u8> = "application/octet-stream"),
        )),
        (status = "default", body = error::ErrorBody),
    ),
)]
pub(crate) async fn infer(
    service: &Service,
    context: &Context,
    path: ModelPath<'_>,
    request: Request,
) -> Result<Response, ApiError> {
    // The model first: a body for a model that is not there need not be read.
    let found = service.visible(context).find(path.name)?;
    let version = found.model.manifest().version().to_string();
    versions::check(path.version, &version)?;
    let headers = request.headers().clone();
    let Raw(bytes) = Raw::from_request(request, service).await?;
    let begun = Instant::now();
    let mut measured = Measured::default();
    let answered = answered(
        service,
        context,
        path.name,
        &version,
        headers,
        bytes,
        &mut measured,
    );
    let answered = answered.await;
    measured.whole = begun.elapsed();
    service
        .inferences()
        .count(&found.entry.name, &version, answered.is_ok(), &measured);
    answered
}

async fn answered(
    service: &Service,
    context: &Context,
    name: &str,
    version: &str,
    headers: axum::http::HeaderMap,
    bytes: Bytes,
    measured: &mut Measured,
) -> Result<Response, ApiError> {
    let begun = Instant::now();
    let model = service.call(name, context)?;
    let readers = service.readers();
    let parsed = readers.work(bytes.len(), move || body::parse(&headers, bytes));
    let (mut request, choice) = match parsed.await? {
        Body::Inference(request) => {
            let choice = Choice::of(&request.parameters, &request.outputs)?;
            (request, choice)
        }
        Body::Raw(element) => (
            raw(&context.tasks_of(&model), element)?,
            Choice::all_binary(),
        ),
    };
    let spec = tasks::choose(&context.tasks_of(&model), &request)?;
    let limits = parameters::limits(&request.parameters)?;
    // Nothing keeps the body but the request's tensors, which end with the making of the call.
    let id = request.id.take();
    let call = service.work_on_body(context, move |service| {
        run::call(spec.work, request, service)
    });
    let call = call.await?;
    let model = service.call_within(name, context, limits, parameters::LIMIT_FIELDS)?;
    measured.compute_input = begun.elapsed();
    let asked = Instant::now();
    let answer = call.run(&model, context).await?;
    measured.ran(asked.elapsed(), answer.batch, &answer.reports);
    let writing = Instant::now();
    let head = Head {
        id: id.as_deref(),
        model: name,
        version,
        task: spec.task.name(),
    };
    let response = answer::write(&head, &answer, &choice)?;
    measured.compute_output = writing.elapsed();
    Ok(response)
}

/// Makes the request of a raw body: one element of the input of the model's one task. Of several tasks, a body of bytes
/// would choose one by chance.
fn raw(offered: &[Task], element: Bytes) -> Result<Inference, ApiError> {
    let mut specs = tasks::in_order(offered);
    let (Some(spec), None) = (specs.next(), specs.next()) else {
        return Err(ApiError::unsupported(
            "Inference-Header-Content-Length",
            "a raw body is for models of one task; say with JSON which inputs this model should read",
        ));
    };
    Ok(Inference {
        id: None,
        parameters: Parameters::default(),
        inputs: vec![InputTensor::of_element(spec.raw, element)],
        outputs: Vec::new(),
    })
}
