//! Conversations: `/api/chat`.

use ampoule::Limits;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::ollama::error::ErrorBody;
use crate::families::ollama::generation::{Line, ParsedRequest, answer, message};
use crate::families::ollama::options::Options;
use crate::families::ollama::progress::Progress;
use crate::families::ollama::unsupported::{CHAT, MESSAGE, TEXT};
use crate::families::unsupported::Rest;
use crate::http::body::Json;
use crate::request::context::Context;
use crate::said::said;
use crate::service::Service;

/// A conversation to continue. Fields that are not named here are ignored, or refused where the answer would be another
/// than was asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaChatRequest)]
pub(crate) struct Request {
    model: String,
    /// The messages so far, the oldest first. Without any, the answer says that the model is loaded.
    messages: Option<Vec<Message>>,
    /// True by default: one line of JSON for each piece of text.
    stream: Option<bool>,
    options: Option<Options>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
}

/// A message of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaMessage)]
struct Message {
    /// `system`, `user` or `assistant`.
    role: String,
    content: Option<String>,
    /// Pictures in base64, or as `data:` addresses. They come before the text.
    images: Option<Vec<String>>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
}

/// An answer: whole, or one line of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaChatAnswer)]
pub(crate) struct ChatLine {
    model: String,
    /// The time of this line, by RFC 3339.
    #[schema(format = DateTime)]
    created_at: String,
    message: AnswerMessage,
    #[serde(flatten)]
    progress: Progress,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaAnswerMessage)]
struct AnswerMessage {
    role: &'static str,
    content: String,
}

impl Line for ChatLine {
    fn new(model: String, created_at: String, content: String, progress: Progress) -> Self {
        let role = "assistant";
        Self {
            model,
            created_at,
            message: AnswerMessage { role, content },
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
            content((ChatLine = "application/json"), (ChatLine = "application/x-ndjson")),
        ),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn chat(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    // The model first: no picture is decoded for one that is not there.
    let model = service.call(&request.model, &context)?;
    let read = service.work_on_body(&context, |service| request.read(service.host().limits()));
    let parsed = read.await?;
    answer::<ChatLine>(&service, context, model, parsed).await
}

impl Request {
    fn read(self, limits: &Limits) -> Result<ParsedRequest, ApiError> {
        self.rest.check("", CHAT.iter().chain(&TEXT))?;
        let read = |(index, given): (usize, Message)| {
            given.rest.check(said!("messages[{}].", index), &MESSAGE)?;
            let param = said!("messages[{}].images", index);
            message(given.role, given.content, given.images, &param, limits)
        };
        let messages = self.messages.unwrap_or_default().into_iter().enumerate();
        Ok(ParsedRequest {
            model: self.model,
            messages: messages.map(read).collect::<Result<_, _>>()?,
            options: self.options,
            stream: self.stream,
        })
    }
}
