//! Conversations: `/v1/chat/completions`.

mod message;
mod request;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::families::openai::answer;
use crate::families::openai::choices::{Answer, ChoiceTypes};
use crate::families::openai::chunks::Chunk;
use crate::families::openai::error::ErrorBody;
use crate::http::body::Json;
use crate::request::context::Context;
use crate::service::Service;

use request::Request;

/// Continues a conversation of texts and pictures.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "OpenAI",
    request_body = Request,
    responses(
        (status = 200, content(
            (Answer<Choice> = "application/json"),
            (Chunk<ChunkChoice> = "text/event-stream"),
        )),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    // The model first: no picture is decoded for one that is not there.
    let model = service.call(&request.model, &context)?;
    let read = service.work_on_body(&context, |service| request.read(service));
    let request = read.await?;
    answer::answer::<Chat>(&service, context, model, request).await
}

/// The types of choices of this route.
#[derive(Debug)]
pub(crate) struct Chat;

/// A whole answer to a conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiChatChoice)]
pub(crate) struct Choice {
    index: usize,
    message: AnswerMessage,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    logprobs: (),
    /// `stop`, `length` or `content_filter`.
    finish_reason: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiChatAnswerMessage)]
pub(crate) struct AnswerMessage {
    role: &'static str,
    content: String,
    /// Always null.
    #[schema(value_type = Option<String>)]
    refusal: (),
}

/// An answer to a conversation in a chunk of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiChatChunkChoice)]
pub(crate) struct ChunkChoice {
    index: usize,
    delta: Delta,
    /// Null before the last chunk.
    finish_reason: Option<&'static str>,
}

#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = OpenAiChatDelta)]
pub(crate) struct Delta {
    /// In the first chunk, and only there: clients put the roles of all chunks together.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

impl ChoiceTypes for Chat {
    const ID: &'static str = "chatcmpl-";
    const OBJECT: &'static str = "chat.completion";
    const CHUNK_OBJECT: &'static str = "chat.completion.chunk";

    type Choice = Choice;
    type ChunkChoice = ChunkChoice;

    fn whole(index: usize, text: String, finish_reason: &'static str) -> Choice {
        Choice {
            index,
            message: AnswerMessage {
                role: "assistant",
                content: text,
                refusal: (),
            },
            logprobs: (),
            finish_reason,
        }
    }

    fn opening(index: usize) -> Option<ChunkChoice> {
        let delta = Delta {
            role: Some("assistant"),
            content: Some(String::new()),
        };
        Some(ChunkChoice {
            index,
            delta,
            finish_reason: None,
        })
    }

    fn text(index: usize, text: String) -> ChunkChoice {
        let delta = Delta {
            role: None,
            content: Some(text),
        };
        ChunkChoice {
            index,
            delta,
            finish_reason: None,
        }
    }

    fn end(index: usize, finish_reason: &'static str) -> ChunkChoice {
        ChunkChoice {
            index,
            delta: Delta::default(),
            finish_reason: Some(finish_reason),
        }
    }
}
