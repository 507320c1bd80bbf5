//! Conversations: `/api/chat`.

use ampoule::{Content, GenerationRequest, Limits, Message};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::core::picture;
use crate::error::ApiError;
use crate::families::ollama::error::ErrorBody;
use crate::families::ollama::generation::{Asked, Piece, Progress, answer, loaded};
use crate::families::ollama::options::Options;
use crate::families::ollama::unsupported::refuse;
use crate::http::body::Json;
use crate::request::context::Context;
use crate::service::Service;

/// A conversation to continue. Fields that are not named here are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaChatRequest)]
#[allow(dead_code, reason = "ignored fields stand in the schema")]
pub(crate) struct Request {
    model: String,
    /// The turns so far, the oldest first. Without any, the answer says that the model is loaded.
    messages: Option<Vec<Turn>>,
    /// True by default: one line of JSON for each piece.
    stream: Option<bool>,
    options: Option<Options>,
    /// Refused: no model here calls tools.
    tools: Option<Value>,
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
    /// Ignored: nothing of a conversation is dropped.
    truncate: Option<Value>,
    /// Ignored: nothing of a conversation is dropped.
    shift: Option<Value>,
}

/// A turn of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaMessage)]
#[allow(dead_code, reason = "ignored fields stand in the schema")]
pub(crate) struct Turn {
    /// `system`, `user` or `assistant`.
    role: String,
    content: Option<String>,
    /// Pictures in base64, or as `data:` addresses. They come before the text.
    images: Option<Vec<String>>,
    /// Refused: no model here calls tools.
    tool_calls: Option<Value>,
    /// Refused: no model here calls tools.
    tool_name: Option<Value>,
    /// Ignored: a model does not read what it thought.
    thinking: Option<Value>,
}

/// An answer, or a piece of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaChatAnswer)]
pub(crate) struct Line {
    model: String,
    /// The time of this piece, by RFC 3339.
    #[schema(format = DateTime)]
    created_at: String,
    message: Said,
    #[serde(flatten)]
    progress: Progress,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaSaid)]
struct Said {
    role: &'static str,
    content: String,
}

struct Form;

impl Piece for Form {
    type Line = Line;

    fn piece(model: String, created_at: String, content: String, progress: Progress) -> Line {
        let role = "assistant";
        Line {
            model,
            created_at,
            message: Said { role, content },
            progress,
        }
    }
}

/// Continues a conversation, streamed unless `stream` is false.
#[utoipa::path(
    post,
    path = "/api/chat",
    tag = "Ollama",
    operation_id = "ollama_chat",
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
pub(crate) async fn chat(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    let model = service.call(&request.model, &context)?;
    request.refuse_unsupported()?;
    let mut generation = GenerationRequest {
        messages: messages(
            request.messages.unwrap_or_default(),
            service.host().limits(),
        )?,
        ..GenerationRequest::default()
    };
    request.options.unwrap_or_default().apply(&mut generation)?;
    if generation.messages.is_empty() {
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
        refuse("tools", self.tools.as_ref(), "no model here calls tools")?;
        refuse(
            "format",
            self.format.as_ref(),
            "no model here writes by a grammar",
        )?;
        refuse("think", self.think.as_ref(), "no model here thinks aloud")?;
        let probabilities = "no model here tells probabilities";
        refuse("logprobs", self.logprobs.as_ref(), probabilities)?;
        let top = self
            .top_logprobs
            .as_ref()
            .filter(|top| top.as_u64() != Some(0));
        refuse("top_logprobs", top, probabilities)
    }
}

fn messages(turns: Vec<Turn>, limits: &Limits) -> Result<Vec<Message>, ApiError> {
    let message = |(index, turn): (usize, Turn)| {
        refuse(
            "messages.tool_calls",
            turn.tool_calls.as_ref(),
            "no model here calls tools",
        )?;
        refuse(
            "messages.tool_name",
            turn.tool_name.as_ref(),
            "no model here calls tools",
        )?;
        let param = format!("messages[{index}].images");
        Ok(Message {
            role: turn.role,
            content: content(turn.content, turn.images, &param, limits)?,
        })
    };
    turns.into_iter().enumerate().map(message).collect()
}

/// Returns the parts of a turn: its pictures, then its text.
pub(crate) fn content(
    text: Option<String>,
    images: Option<Vec<String>>,
    param: &str,
    limits: &Limits,
) -> Result<Vec<Content>, ApiError> {
    let images = images.unwrap_or_default().into_iter().enumerate();
    let images = images.map(|(index, image)| {
        picture::from_base64(&image, &format!("{param}[{index}]"), limits).map(Content::Image)
    });
    let text = text.map(|text| Ok(Content::Text(text)));
    images.chain(text).collect()
}
