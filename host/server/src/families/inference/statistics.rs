//! Statistics of inferences, in the form of Triton's extension.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::inference::error::ErrorBody;
use crate::families::inference::paths::ModelPath;
use crate::families::inference::versions;
use crate::http::json::json_response;
use crate::inferences::{Counts, Times};
use crate::request::context::Context;
use crate::service::Service;

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceStatistics)]
pub(crate) struct StatisticsBody {
    model_stats: Vec<ModelStatistics>,
}

/// A number of times, and their sum.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceDuration)]
struct Duration {
    count: u64,
    /// Nanoseconds.
    ns: u64,
}

/// The inferences of a model by this family's routes, since its served release began to serve.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceModelStatistics)]
struct ModelStatistics {
    name: String,
    version: String,
    /// Milliseconds since 1970; 0 for none.
    last_inference: u64,
    /// Texts, pictures and prompts that were answered.
    inference_count: u64,
    /// Sandboxes that answered.
    execution_count: u64,
    inference_stats: Durations,
    batch_stats: Vec<BatchStatistics>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceDurations)]
struct Durations {
    success: Duration,
    fail: Duration,
    queue: Duration,
    compute_input: Duration,
    compute_infer: Duration,
    compute_output: Duration,
    /// Nothing is cached.
    cache_hit: Duration,
    cache_miss: Duration,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InferenceBatchStatistics)]
struct BatchStatistics {
    batch_size: u64,
    compute_input: Duration,
    compute_infer: Duration,
    compute_output: Duration,
}

impl From<Times> for Duration {
    fn from(times: Times) -> Self {
        Self {
            count: times.count,
            ns: times.nanoseconds,
        }
    }
}

impl ModelStatistics {
    fn new(name: &str, version: String, counts: Counts) -> Self {
        let batches = counts.batches.into_iter();
        let batches = batches.map(|(batch_size, counts)| BatchStatistics {
            batch_size,
            compute_input: counts.compute_input.into(),
            compute_infer: counts.compute_infer.into(),
            compute_output: counts.compute_output.into(),
        });
        Self {
            name: name.to_owned(),
            version,
            last_inference: counts.last_inference,
            inference_count: counts.inferences,
            execution_count: counts.executions,
            inference_stats: Durations {
                success: counts.success.into(),
                fail: counts.fail.into(),
                queue: counts.queue.into(),
                compute_input: counts.compute_input.into(),
                compute_infer: counts.compute_infer.into(),
                compute_output: counts.compute_output.into(),
                cache_hit: Times::default().into(),
                cache_miss: Times::default().into(),
            },
            batch_stats: batches.collect(),
        }
    }
}

/// Returns the statistics of all models that answer.
#[utoipa::path(
    get,
    path = "/v2/models/stats",
    tag = "Open Inference Protocol",
    operation_id = "inference_all_statistics",
    responses((status = 200, body = StatisticsBody)),
)]
pub(crate) async fn all(State(service): State<Service>, context: Context) -> Response {
    let entries = service.visible(&context).entries();
    let served = entries
        .iter()
        .filter_map(|entry| Some((entry, entry.model()?)));
    let model_stats = served.map(|(entry, model)| {
        let version = model.manifest().version().to_string();
        let counts = service.inferences().of(&entry.name, &version);
        ModelStatistics::new(&entry.name, version, counts)
    });
    let body = StatisticsBody {
        model_stats: model_stats.collect(),
    };
    json_response(StatusCode::OK, &body)
}

/// Returns the statistics of one model, under its own name. `versions/{version}` may stand before `stats`.
#[utoipa::path(
    get,
    path = "/v2/models/{name}/stats",
    tag = "Open Inference Protocol",
    operation_id = "inference_statistics",
    params(("name" = String, Path, description = "A model's name or alias")),
    responses((status = 200, body = StatisticsBody), (status = "default", body = ErrorBody)),
)]
pub(crate) fn one(
    service: &Service,
    context: &Context,
    path: ModelPath<'_>,
) -> Result<Response, ApiError> {
    let found = service.visible(context).find(path.name)?;
    let version = found.model.manifest().version().to_string();
    versions::check(path.version, &version)?;
    let counts = service.inferences().of(&found.entry.name, &version);
    let body = StatisticsBody {
        model_stats: vec![ModelStatistics::new(&found.entry.name, version, counts)],
    };
    Ok(json_response(StatusCode::OK, &body))
}
