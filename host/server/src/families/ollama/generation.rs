//! Answers of `/api/chat` and `/api/generate`: one line of JSON for each piece of text, or one object for all of them.

use std::marker::PhantomData;

use ampoule::{Content, Limits, Message, Model, Task};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use crate::core::generation::{End, Event, Events};
use crate::core::picture;
use crate::error::ApiError;
use crate::families::ollama::error;
use crate::families::ollama::options::Options;
use crate::families::ollama::progress::{Progress, Stopwatch};
use crate::http::json::json_response;
use crate::http::ndjson;
use crate::http::stream::{self, Dialect};
use crate::request::context::Context;
use crate::said::{Said, said};
use crate::service::Service;

/// A route's answer: whole, or one line of a stream.
pub(crate) trait Line: Serialize + Send + 'static {
    /// Makes a line of this model's answer.
    fn new(model: String, created_at: String, text: String, progress: Progress) -> Self;
}

/// A request of either route that has been read.
pub(crate) struct ParsedRequest {
    /// The model, as the caller names it.
    pub(crate) model: String,
    /// Empty for a request by which Ollama's clients have a model loaded.
    pub(crate) messages: Vec<Message>,
    pub(crate) options: Option<Options>,
    /// True by default.
    pub(crate) stream: Option<bool>,
}

/// Makes a message: its pictures, then its text. `param` is the path of `images` in the request.
pub(crate) fn message(
    role: String,
    text: Option<String>,
    images: Option<Vec<String>>,
    param: &Said,
    limits: &Limits,
) -> Result<Message, ApiError> {
    let images = images.unwrap_or_default().into_iter().enumerate();
    let images = images.map(|(index, image)| {
        picture::from_base64(&image, &said!("{}[{}]", param, index), limits).map(Content::Image)
    });
    let text = text.map(|text| Ok(Content::Text(text)));
    let content = images.chain(text).collect::<Result<_, _>>()?;
    Ok(Message { role, content })
}

/// Asks this model, and answers in one line or in many.
pub(crate) async fn answer<L: Line>(
    service: &Service,
    context: Context,
    model: Model,
    request: ParsedRequest,
) -> Result<Response, ApiError> {
    let options = request.options.unwrap_or_default();
    let generation = options.request(request.messages)?;
    let is_streamed = request.stream.unwrap_or(true);
    let mut lines = Lines::<L> {
        model: request.model,
        stopwatch: Stopwatch::start(&context),
        end: None,
        line: PhantomData,
    };
    if generation.messages.is_empty() {
        if !context.tasks_of(&model).contains(&Task::TextGeneration) {
            let message = "`model`: this model does not generate text";
            return Err(ApiError::invalid("model", message));
        }
        let line = lines.line(String::new(), Progress::loaded());
        return Ok(json_response(StatusCode::OK, &line));
    }
    let patience = is_streamed.then_some(service.settings().silence);
    let mut events = Events::start(&model, &context, vec![generation], patience).await?;
    if is_streamed {
        let response = stream::response(ndjson::MEDIA_TYPE, service, context, events, lines);
        return Ok(response);
    }
    let mut whole = String::new();
    while let Some(event) = events.next().await {
        match event? {
            Event::Text { text, .. } => {
                lines.stopwatch.has_begun();
                whole.push_str(&text);
            }
            Event::End(end) => lines.end = Some(lines.stopwatch.over(&end)),
        }
    }
    let progress = lines.end.take().unwrap_or_default();
    Ok(json_response(StatusCode::OK, &lines.line(whole, progress)))
}

/// An answer as lines.
struct Lines<L> {
    model: String,
    stopwatch: Stopwatch,
    end: Option<Progress>,
    line: PhantomData<fn() -> L>,
}

impl<L: Line> Lines<L> {
    fn line(&self, text: String, progress: Progress) -> L {
        // By RFC 3339.
        let now = Timestamp::now().to_string();
        L::new(self.model.clone(), now, text, progress)
    }
}

impl<L: Line> Dialect for Lines<L> {
    fn begin(&mut self, _: &mut Vec<u8>) {}

    fn text(&mut self, _: usize, text: String, out: &mut Vec<u8>) {
        self.stopwatch.has_begun();
        ndjson::line(out, &self.line(text, Progress::default()));
    }

    fn end(&mut self, end: End, _: &mut Vec<u8>) {
        self.end = Some(self.stopwatch.over(&end));
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
