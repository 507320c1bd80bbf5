//! The model and the server: `/info`, `/health`.

use ampoule::Task;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::properties::Properties;
use crate::error::ApiError;
use crate::families::tei::error::ErrorBody;
use crate::families::tei::model::Query;
use crate::http::json::json_response;
use crate::request::context::Context;
use crate::said::said;
use crate::service::Service;

/// The model that answers, and the bounds of requests.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeiInfo)]
pub(crate) struct Info {
    model_id: String,
    /// The digest of the signed manifest.
    model_sha: String,
    model_type: ModelType,
    /// Sandboxes at a time.
    max_concurrent_requests: usize,
    /// Tokens of one text; absent if the model does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_input_length: Option<u64>,
    /// Texts of one request.
    max_client_batch_size: usize,
    /// True: texts that are too long are cut, unless a request refuses that.
    auto_truncate: bool,
    version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeiModelType)]
pub(crate) struct ModelType {
    embedding: EmbeddingModel,
}

/// An embedding model; the sandbox does not tell how it pools.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TeiEmbeddingModel)]
pub(crate) struct EmbeddingModel {}

/// Describes the model that embeds texts.
#[utoipa::path(
    get,
    path = "/info",
    tag = "text-embeddings-inference",
    operation_id = "tei_info",
    params(Query),
    responses((status = 200, body = Info), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn info(
    State(service): State<Service>,
    context: Context,
    query: Query,
) -> Result<Response, ApiError> {
    let found = query.find(&service, &context, Task::TextEmbedding)?;
    if !context
        .tasks_of(&found.model)
        .contains(&Task::TextEmbedding)
    {
        let message = said!("the model `{}` embeds no texts", found.entry.said());
        return Err(ApiError::unsupported("model", message));
    }
    let info = Info {
        model_id: found.entry.name.to_string(),
        model_sha: found.model.manifest_digest().to_string(),
        model_type: ModelType {
            embedding: EmbeddingModel {},
        },
        max_concurrent_requests: service.host().limits().sandboxes,
        max_input_length: Properties::of(found.model.info()).max_tokens(),
        max_client_batch_size: service.settings().texts,
        auto_truncate: true,
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(json_response(StatusCode::OK, &info))
}

/// Says whether every model answers requests.
#[utoipa::path(
    get,
    path = "/health",
    tag = "text-embeddings-inference",
    operation_id = "tei_health",
    responses(
        (status = 200, description = "Every model answers"),
        (status = 503, body = ErrorBody, description = "A model does not answer yet"),
    ),
)]
pub(crate) async fn health(
    State(service): State<Service>,
    context: Context,
) -> Result<StatusCode, ApiError> {
    service.check_ready(&context).await?;
    Ok(StatusCode::OK)
}
