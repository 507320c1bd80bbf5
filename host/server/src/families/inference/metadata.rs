//! Metadata: of the server, of a model, and the index of models.

use ampoule::Model;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::properties::Properties;
use crate::error::ApiError;
use crate::families::inference::datatype::Datatype;
use crate::families::inference::error::ErrorBody;
use crate::families::inference::paths::ModelPath;
use crate::families::inference::tasks::{self, TaskSpec, TensorSpec};
use crate::families::inference::versions;
use crate::http::body::Raw;
use crate::http::json::{json_response, read_json};
use crate::models::Readiness;
use crate::request::context::Context;
use crate::service::Service;

/// The extensions that are spoken here.
const EXTENSIONS: [&str; 3] = ["binary_tensor_data", "parameters", "statistics"];

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceServerMetadata)]
pub(crate) struct ServerMetadata {
    name: &'static str,
    version: &'static str,
    extensions: [&'static str; 3],
}

/// A model with the tensors of all of its tasks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceModelMetadata)]
pub(crate) struct ModelMetadata {
    name: String,
    /// `1`, which is the served release, and the version of its manifest.
    versions: Vec<String>,
    platform: &'static str,
    inputs: Vec<TensorMetadata>,
    outputs: Vec<TensorMetadata>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceTensorMetadata)]
pub(crate) struct TensorMetadata {
    name: &'static str,
    #[schema(value_type = String)]
    datatype: Datatype,
    /// −1 for a size that the request or the model decides.
    shape: Vec<i64>,
    parameters: TensorTasks,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceTensorTasks)]
pub(crate) struct TensorTasks {
    /// The tasks with this tensor, with commas between.
    tasks: String,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = InferenceIndexRequest)]
pub(crate) struct IndexRequest {
    /// True for models alone that answer.
    ready: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceIndexEntry)]
pub(crate) struct IndexEntry {
    name: String,
    version: String,
    /// `READY`, `LOADING` or `UNAVAILABLE`.
    state: &'static str,
    reason: &'static str,
}

/// Describes the server.
#[utoipa::path(
    get,
    path = "/v2",
    tag = "Open Inference Protocol",
    operation_id = "inference_server",
    responses((status = 200, body = ServerMetadata)),
)]
pub(crate) async fn server() -> Response {
    json_response(
        StatusCode::OK,
        &ServerMetadata {
            name: "ampoule",
            version: env!("CARGO_PKG_VERSION"),
            extensions: EXTENSIONS,
        },
    )
}

/// Lists the models with their states.
#[utoipa::path(
    post,
    path = "/v2/repository/index",
    tag = "Open Inference Protocol",
    operation_id = "inference_index",
    request_body = IndexRequest,
    responses((status = 200, body = [IndexEntry]), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn index(
    State(service): State<Service>,
    context: Context,
    request: Request,
) -> Result<Response, ApiError> {
    let Raw(body) = Raw::from_request(request, &service).await?;
    let request: IndexRequest = if body.is_empty() {
        IndexRequest::default()
    } else {
        let read = service.readers().work(body.len(), move || read_json(&body));
        read.await?
    };
    let only_ready = request.ready.unwrap_or(false);
    service.look_at_models().await;
    let entries = service.visible(&context).entries();
    let entries = entries.iter().map(|entry| {
        let (state, reason) = match entry.readiness() {
            Readiness::Ready => ("READY", ""),
            Readiness::Loading => ("LOADING", ""),
            Readiness::Failed => (
                "UNAVAILABLE",
                "the load failed; the server's log has the reason",
            ),
            Readiness::Untrusted => (
                "UNAVAILABLE",
                "the model is not trusted any more; the server's log has the reason",
            ),
        };
        let version = entry
            .model()
            .map(|model| model.manifest().version().to_string());
        IndexEntry {
            name: entry.name.to_string(),
            version: version.unwrap_or_default(),
            state,
            reason,
        }
    });
    let entries: Vec<_> = entries
        .filter(|entry| !only_ready || entry.state == "READY")
        .collect();
    Ok(json_response(StatusCode::OK, &entries))
}

/// Describes a model. `versions/{version}` may stand at the end.
#[utoipa::path(
    get,
    path = "/v2/models/{name}",
    tag = "Open Inference Protocol",
    operation_id = "inference_model",
    params(("name" = String, Path, description = "A model's name or alias")),
    responses((status = 200, body = ModelMetadata), (status = "default", body = ErrorBody)),
)]
pub(crate) fn model(
    service: &Service,
    context: &Context,
    path: ModelPath<'_>,
) -> Result<Response, ApiError> {
    let model = service.visible(context).find(path.name)?.model;
    let version = model.manifest().version().to_string();
    versions::check(path.version, &version)?;
    let metadata = ModelMetadata {
        name: path.name.to_owned(),
        versions: vec![versions::CURRENT.to_owned(), version],
        platform: "ampoule",
        inputs: tensors(&model, context, |spec| spec.inputs),
        outputs: tensors(&model, context, |spec| spec.outputs),
    };
    Ok(json_response(StatusCode::OK, &metadata))
}

/// Returns the tensors of all tasks of a model that the caller may ask for, each name once.
fn tensors(
    model: &Model,
    context: &Context,
    of: fn(&TaskSpec) -> &'static [TensorSpec],
) -> Vec<TensorMetadata> {
    let mut tensors: Vec<TensorMetadata> = Vec::new();
    for task in tasks::in_order(&context.tasks_of(model)) {
        for spec in of(task) {
            if let Some(tensor) = tensors.iter_mut().find(|tensor| tensor.name == spec.name) {
                tensor.parameters.tasks.push(',');
                tensor.parameters.tasks.push_str(task.task.name());
                continue;
            }
            tensors.push(TensorMetadata {
                name: spec.name,
                datatype: spec.datatype,
                shape: spec.shape.to_vec(),
                parameters: TensorTasks {
                    tasks: task.task.name().to_owned(),
                },
            });
        }
    }
    for tensor in &mut tensors {
        let is_of_one_task = !tensor.parameters.tasks.contains(',');
        if let ("embeddings", true, [_, dimensions]) =
            (tensor.name, is_of_one_task, &mut *tensor.shape)
        {
            *dimensions = Properties::of(model.info())
                .dimensions()
                .and_then(|length| i64::try_from(length).ok())
                .unwrap_or(-1);
        }
    }
    tensors
}
