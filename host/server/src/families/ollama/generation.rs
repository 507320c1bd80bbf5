//! Answers of `/api/chat` and `/api/generate`: one line of JSON for each piece, or one object for all of them.

use std::time::{Duration, Instant};

use ampoule::{GenerationRequest, Model, Task};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::generation::{End, Event, Events};
use crate::error::ApiError;
use crate::families::ollama::error;
use crate::http::json::json_response;
use crate::http::ndjson;
use crate::http::stream::{self, Dialect};
use crate::request::context::Context;
use crate::service::Service;

/// The state of an answer: in its last piece, its end and costs. Durations are in nanoseconds.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = OllamaProgress)]
pub(crate) struct Progress {
    /// True in the last piece, and in an answer that is not streamed.
    done: bool,
    /// `stop`, `length`, or `load` for a request without a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    done_reason: Option<String>,
    /// Since the request came.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    total_duration: Option<u64>,
    /// To make the sandbox. The model itself is loaded already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    load_duration: Option<u64>,
    /// Tokens of the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prompt_eval_count: Option<u32>,
    /// From then to the first piece of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prompt_eval_duration: Option<u64>,
    /// Tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    eval_count: Option<u32>,
    /// From then to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    eval_duration: Option<u64>,
}

/// A route's form of a piece.
pub(crate) trait Piece: Send + 'static {
    type Line: Serialize;

    /// Makes a piece of an answer of this model.
    fn piece(model: String, created_at: String, text: String, progress: Progress) -> Self::Line;
}

/// A request for a generation, as both routes have it.
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) is_streamed: bool,
    pub(crate) request: GenerationRequest,
}

/// Answers a request without a prompt, by which Ollama's clients have a model loaded.
pub(crate) fn loaded<P: Piece>(model: &Model, name: String) -> Result<Response, ApiError> {
    if !model.tasks().contains(&Task::TextGeneration) {
        let message = format!("`model`: `{name}` does not generate text");
        return Err(ApiError::invalid("model", message));
    }
    let progress = Progress {
        done: true,
        done_reason: Some("load".to_owned()),
        ..Progress::default()
    };
    let line = P::piece(name, now(), String::new(), progress);
    Ok(json_response(StatusCode::OK, &line))
}

/// Asks the model, and answers in one piece or in many.
pub(crate) async fn answer<P: Piece>(
    service: &Service,
    context: Context,
    model: &Model,
    asked: Asked,
) -> Result<Response, ApiError> {
    let is_streamed = asked.is_streamed;
    let patience = is_streamed.then_some(service.settings().silence);
    let mut lines = Lines::<P> {
        model: asked.model,
        watch: Watch::start(&context),
        end: None,
        form: std::marker::PhantomData,
    };
    let mut events = Events::start(model, &context, vec![asked.request], patience).await?;
    if is_streamed {
        let response = stream::response(ndjson::MEDIA_TYPE, service, context, events, lines);
        return Ok(response);
    }
    let mut whole = String::new();
    while let Some(event) = events.next().await {
        match event? {
            Event::Text { text, .. } => {
                lines.watch.has_begun();
                whole.push_str(&text);
            }
            Event::End(end) => lines.end = Some(lines.watch.over(&end)),
        }
    }
    let progress = lines.end.take().unwrap_or_default();
    Ok(json_response(StatusCode::OK, &lines.line(whole, progress)))
}

/// An answer's pieces as lines.
struct Lines<P> {
    model: String,
    watch: Watch,
    end: Option<Progress>,
    form: std::marker::PhantomData<fn() -> P>,
}

impl<P: Piece> Lines<P> {
    fn line(&self, text: String, progress: Progress) -> P::Line {
        P::piece(self.model.clone(), now(), text, progress)
    }
}

impl<P: Piece> Dialect for Lines<P> {
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn text(&mut self, _: usize, text: String, out: &mut Vec<u8>) {
        self.watch.has_begun();
        ndjson::line(out, &self.line(text, Progress::default()));
    }

    fn end(&mut self, end: End, _: &mut Vec<u8>) {
        self.end = Some(self.watch.over(&end));
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        let progress = self.end.take().unwrap_or_default();
        ndjson::line(out, &self.line(String::new(), progress));
    }

    fn silence(&mut self, out: &mut Vec<u8>) {
        // Clients parse each line, so an empty one would be an error.
        ndjson::line(out, &self.line(String::new(), Progress::default()));
    }

    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        ndjson::line(out, &error::body(error));
    }
}

/// A stop-watch of one generation.
struct Watch {
    came: Instant,
    asked: Instant,
    first: Option<Instant>,
}

impl Watch {
    fn start(context: &Context) -> Self {
        Self {
            came: context.begun(),
            asked: Instant::now(),
            first: None,
        }
    }

    fn has_begun(&mut self) {
        self.first.get_or_insert_with(Instant::now);
    }

    fn over(&self, end: &End) -> Progress {
        let now = Instant::now();
        let first = self.first.unwrap_or(now);
        let load = end.report.start_wall;
        Progress {
            done: true,
            done_reason: Some(reason(&end.reason)),
            total_duration: Some(nanoseconds(now - self.came)),
            load_duration: Some(nanoseconds(load)),
            prompt_eval_count: Some(end.usage.input_tokens),
            prompt_eval_duration: Some(nanoseconds((first - self.asked).saturating_sub(load))),
            eval_count: Some(end.usage.output_tokens),
            eval_duration: Some(nanoseconds(now - first)),
        }
    }
}

/// Returns Ollama's word for the reason of an end. It has one for an end by the model and for one by a stop string.
fn reason(word: &str) -> String {
    match word {
        "stop-string" => "stop".to_owned(),
        word => word.to_owned(),
    }
}

/// Returns the time by RFC 3339.
fn now() -> String {
    Timestamp::now().to_string()
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
