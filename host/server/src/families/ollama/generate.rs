//! Single prompts: `/api/generate`.

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
use crate::families::ollama::unsupported::{GENERATE, TEXT};
use crate::families::unsupported::Rest;
use crate::http::body::Json;
use crate::request::context::Context;
use crate::service::Service;

/// A prompt to answer. Fields that are not named here are ignored, or refused where the answer would be another than was
/// asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OllamaGenerateRequest)]
pub(crate) struct Request {
    model: String,
    /// The prompt. Without it and without pictures, the answer says that the model is loaded.
    prompt: Option<String>,
    /// A first message, of the role `system`.
    system: Option<String>,
    /// Pictures in base64, or as `data:` addresses. They come before the prompt.
    images: Option<Vec<String>>,
    /// True by default: one line of JSON for each piece of text.
    stream: Option<bool>,
    options: Option<Options>,
    #[serde(flatten)]
    #[schema(ignore)]
    rest: Rest,
}

/// An answer: whole, or one line of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OllamaGenerateAnswer)]
pub(crate) struct GenerateLine {
    model: String,
    /// The time of this line, by RFC 3339.
    #[schema(format = DateTime)]
    created_at: String,
    response: String,
    #[serde(flatten)]
    progress: Progress,
}

impl Line for GenerateLine {
    fn new(model: String, created_at: String, response: String, progress: Progress) -> Self {
        Self {
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
            content((GenerateLine = "application/json"), (GenerateLine = "application/x-ndjson")),
        ),
        (status = "default", body = ErrorBody),
    ),
)]
pub(crate) async fn generate(
    State(service): State<Service>,
    context: Context,
    Json(request): Json<Request>,
) -> Result<Response, ApiError> {
    // The model first: no picture is decoded for one that is not there.
    let model = service.call(&request.model, &context)?;
    let read = service.work_on_body(&context, |service| request.read(service.host().limits()));
    let parsed = read.await?;
    answer::<GenerateLine>(&service, context, model, parsed).await
}

impl Request {
    fn read(self, limits: &Limits) -> Result<ParsedRequest, ApiError> {
        self.rest.check("", GENERATE.iter().chain(&TEXT))?;
        let is_said = |text: &String| !text.is_empty();
        let of_role = |role: &str, text: Option<String>, images: Option<Vec<String>>| {
            let text = text.filter(is_said);
            message(role.to_owned(), text, images, &"images".into(), limits)
        };
        let mut messages = vec![
            of_role("system", self.system, None)?,
            of_role("user", self.prompt, self.images)?,
        ];
        // A system's text alone is no prompt.
        if messages.last().is_some_and(|user| user.content.is_empty()) {
            messages.clear();
        }
        messages.retain(|message| !message.content.is_empty());
        Ok(ParsedRequest {
            model: self.model,
            messages,
            options: self.options,
            stream: self.stream,
        })
    }
}
