//! Single prompts: `/api/generate`.

use ampoule::{Content, GenerationRequest, Message};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::ollama::chat::content;
use crate::families::ollama::error::ErrorBody;
use crate::families::ollama::generation::{Asked, Piece, Progress, answer, loaded};
use crate::families::ollama::options::Options;
use crate::families::ollama::unsupported::refuse;
use crate::http::body::Json;
use crate::request::context::Context;
use crate::service::Service;

/// A prompt to answer. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaGenerateRequest)]
#[allow(dead_code, reason = "ignored fields stand in the schema")]
pub(crate) struct Request {
    model: String,
    /// The prompt. Without it and without pictures, the answer says that the model is loaded.
    prompt: Option<String>,
    /// A first turn, of the role `system`.
    system: Option<String>,
    /// Pictures in base64, or as `data:` addresses. They come before the prompt.
    images: Option<Vec<String>>,
    /// True by default: one line of JSON for each piece.
    stream: Option<bool>,
    options: Option<Options>,
    /// Refused: no model here fills gaps.
    suffix: Option<Value>,
    /// Refused: a model has its own template.
    template: Option<Value>,
    /// Refused: answers have no context to send back; `/api/chat` takes a conversation.
    context: Option<Value>,
    /// Refused: a model has its own template.
    raw: Option<Value>,
    /// Refused: no model here writes by a grammar.
    format: Option<Value>,
    /// Refused: no model here thinks aloud.
    think: Option<Value>,
    /// Refused: no model here tells probabilities.
    logprobs: Option<Value>,
    /// Refused: no model here tells probabilities.
    top_logprobs: Option<Value>,
    /// Ignored: models stay loaded.
    keep_alive: Option<Value>,
    /// Ignored: nothing of a prompt is dropped.
    truncate: Option<Value>,
    /// Ignored: nothing of a prompt is dropped.
    shift: Option<Value>,
    /// Ignored: no model here makes pictures.
    width: Option<Value>,
    /// Ignored: no model here makes pictures.
    height: Option<Value>,
    /// Ignored: no model here makes pictures.
    steps: Option<Value>,
}

/// An answer, or a piece of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaGenerateAnswer)]
pub(crate) struct Line {
    model: String,
    /// The time of this piece, by RFC 3339.
    #[schema(format = DateTime)]
    created_at: String,
    response: String,
    #[serde(flatten)]
    progress: Progress,
}

struct Form;

impl Piece for Form {
    type Line = Line;

    fn piece(model: String, created_at: String, response: String, progress: Progress) -> Line {
        Line {
            model,
            created_at,
            response,
            progress,
        }
    }
}

/// Answers a prompt, streamed unless `stream` is false.
#[utoipa::path(
    post,
    path = "/api/generate",
    tag = "Ollama",
    operation_id = "ollama_generate",
    request_body = Request,
    responses(
        (
            status = 200,
            description = "One object, or one for each line; a line may be an error",
            content((Line = "application/json"), (Line = "application/x-ndjson")),
        ),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn generate(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    let model = service.call(&request.model, &context)?;
    request.refuse_unsupported()?;
    let prompt = request.prompt.filter(|prompt| !prompt.is_empty());
    let question = content(prompt, request.images, "images", service.host().limits())?;
    let is_empty = question.is_empty();
    let system = request.system.filter(|system| !system.is_empty());
    let system = system.map(|system| turn("system", vec![Content::Text(system)]));
    let mut generation = GenerationRequest {
        messages: system.into_iter().chain([turn("user", question)]).collect(),
        ..GenerationRequest::default()
    };
    request.options.unwrap_or_default().apply(&mut generation)?;
    if is_empty {
        return loaded::<Form>(&model, request.model);
    }
    let asked = Asked {
        model: request.model,
        is_streamed: request.stream.unwrap_or(true),
        request: generation,
    };
    answer::<Form>(&service, context, &model, asked).await
}

impl Request {
    fn refuse_unsupported(&self) -> Result<(), ApiError> {
        let template = "a model has its own template, and each prompt goes through it";
        let probabilities = "no model here tells probabilities";
        let history = "a conversation goes to /api/chat, turn by turn";
        refuse("suffix", self.suffix.as_ref(), "no model here fills gaps")?;
        refuse("template", self.template.as_ref(), template)?;
        refuse("raw", self.raw.as_ref(), template)?;
        refuse("context", self.context.as_ref(), history)?;
        refuse(
            "format",
            self.format.as_ref(),
            "no model here writes by a grammar",
        )?;
        refuse("think", self.think.as_ref(), "no model here thinks aloud")?;
        refuse("logprobs", self.logprobs.as_ref(), probabilities)?;
        let top = self
            .top_logprobs
            .as_ref()
            .filter(|top| top.as_u64() != Some(0));
        refuse("top_logprobs", top, probabilities)
    }
}

fn turn(role: &str, content: Vec<Content>) -> Message {
    Message {
        role: role.to_owned(),
        content,
    }
}
