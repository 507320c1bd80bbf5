//! Vectors: `/api/embed`, and the older `/api/embeddings`.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::core::embedding::{self, Demands, Embeddings, LongTexts};
use crate::core::place::Place;
use crate::error::ApiError;
use crate::families::ollama::error::ErrorBody;
use crate::families::ollama::progress::nanoseconds;
use crate::http::body::Json;
use crate::http::json::json_response;
use crate::request::context::Context;
use crate::said::said;
use crate::service::Service;

/// Texts to embed. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaEmbedRequest)]
#[allow(dead_code, reason = "ignored fields stand in the schema")]
pub(crate) struct EmbedRequest {
    model: String,
    input: Option<Input>,
    /// True by default: of a text that is too long, the model reads the beginning. False refuses such a text.
    truncate: Option<bool>,
    /// Number of values of each vector: the model's own, or one that the model was trained to be cut to.
    dimensions: Option<u64>,
    /// Refused: the texts belong into `input`.
    prompt: Option<Value>,
    /// Ignored: a vector has no options.
    options: Option<Value>,
    /// Ignored: models stay loaded.
    keep_alive: Option<Value>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a text or a list of texts is expected")]
#[schema(as = OllamaEmbedInput)]
enum Input {
    One(String),
    Many(Vec<String>),
}

/// Vectors of length 1, in the order of the texts. Durations are in nanoseconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaEmbeddings)]
pub(crate) struct EmbedAnswer {
    model: String,
    embeddings: Vec<Vec<f32>>,
    /// Since the request came.
    total_duration: u64,
    /// To make the sandboxes. The model itself is loaded already.
    load_duration: u64,
    /// Tokens of all texts.
    prompt_eval_count: u32,
}

/// One text to embed. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaEmbeddingsRequest)]
#[allow(dead_code, reason = "ignored fields stand in the schema")]
pub(crate) struct EmbeddingsRequest {
    model: String,
    prompt: Option<String>,
    /// Refused: the text belongs into `prompt`.
    input: Option<Value>,
    /// Ignored: a vector has no options.
    options: Option<Value>,
    /// Ignored: models stay loaded.
    keep_alive: Option<Value>,
}

/// A vector as the model gives it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaEmbedding)]
pub(crate) struct EmbeddingsAnswer {
    embedding: Vec<f32>,
}

/// Embeds texts, and scales each vector to length 1.
#[utoipa::path(
    post,
    path = "/api/embed",
    tag = "Ollama",
    operation_id = "ollama_embed",
    request_body = EmbedRequest,
    responses((status = 200, body = EmbedAnswer), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn embed(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<EmbedRequest>,
) -> Result<Response, ApiError> {
    let model = service.call(&request.model, &context)?;
    if request.prompt.is_some() {
        let message =
            "`prompt`: this route reads `input`; `prompt` is the field of /api/embeddings";
        return Err(ApiError::invalid("prompt", message));
    }
    let (texts, place) = match request.input {
        Some(Input::One(text)) => (vec![text], Place::one("input")),
        Some(Input::Many(texts)) if !texts.is_empty() => (texts, Place::list("input")),
        _ => {
            let message = "`input`: a text or a list of at least one text is expected";
            return Err(ApiError::invalid("input", message));
        }
    };
    let most = service.settings().texts;
    if texts.len() > most {
        let message = said!(
            "`input`: {} texts found, {} allowed; send them in several requests",
            texts.len(),
            most
        );
        return Err(ApiError::invalid("input", message));
    }
    let demands = Demands {
        place,
        dimensions: request.dimensions,
        long_texts: LongTexts::of(request.truncate),
    };
    let mut embeddings = embedding::texts(&model, &context, &texts, demands).await?;
    embeddings.normalize();
    let answer = EmbedAnswer {
        model: request.model,
        total_duration: nanoseconds(context.begun().elapsed()),
        load_duration: nanoseconds(load(&embeddings)),
        prompt_eval_count: embeddings.usage.input_tokens,
        embeddings: embeddings.vectors().map(<[f32]>::to_vec).collect(),
    };
    Ok(json_response(StatusCode::OK, &answer))
}

/// Embeds one text, and leaves the vector as the model gives it.
#[utoipa::path(
    post,
    path = "/api/embeddings",
    tag = "Ollama",
    operation_id = "ollama_embeddings",
    request_body = EmbeddingsRequest,
    responses((status = 200, body = EmbeddingsAnswer), (status = "default", body = ErrorBody)),
)]
pub(crate) async fn embeddings(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<EmbeddingsRequest>,
) -> Result<Response, ApiError> {
    let model = service.call(&request.model, &context)?;
    if request.input.is_some() {
        let message = "`input`: this route reads `prompt`; `input` is the field of /api/embed";
        return Err(ApiError::invalid("input", message));
    }
    let Some(prompt) = request.prompt else {
        let message = "`prompt`: a text is expected";
        return Err(ApiError::invalid("prompt", message));
    };
    let demands = Demands::none(Place::one("prompt"));
    let embeddings = embedding::texts(&model, &context, &[prompt], demands).await?;
    let answer = EmbeddingsAnswer {
        embedding: embeddings.values,
    };
    Ok(json_response(StatusCode::OK, &answer))
}

fn load(embeddings: &Embeddings) -> Duration {
    embeddings
        .reports
        .iter()
        .map(|report| report.start_wall)
        .sum()
}
