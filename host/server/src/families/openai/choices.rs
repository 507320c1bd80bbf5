//! Answers to a request for text, each a choice: whole, or as a stream.

use ampoule::{GenerationRequest, Timestamp};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::core::generation::{End, Events};
use crate::error::ApiError;
use crate::families::openai::chunks::Chunks;
use crate::families::openai::error;
use crate::http::context::{Context, random_hex};
use crate::http::json::json_response;
use crate::http::{sse, stream};
use crate::service::Service;

/// A route's form of choices.
pub(crate) trait Form: Send + 'static {
    /// The beginning of an answer's id.
    const ID: &'static str;
    /// The type of a whole answer.
    const OBJECT: &'static str;
    /// The type of a part of a stream.
    const CHUNK_OBJECT: &'static str;

    type Choice: Serialize;
    type Piece: Serialize;

    /// Makes a whole choice.
    fn whole(index: usize, text: String, finish_reason: &'static str) -> Self::Choice;

    /// Makes the part of a stream that opens a choice, where there is one.
    fn opening(index: usize) -> Option<Self::Piece>;

    /// Makes a part with some text.
    fn text(index: usize, text: String) -> Self::Piece;

    /// Makes the last part of a choice.
    fn end(index: usize, finish_reason: &'static str) -> Self::Piece;
}

/// A request for text that has been read.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The model, as the caller names it.
    pub(crate) model: String,
    pub(crate) prompts: Vec<GenerationRequest>,
    /// Answers to each prompt.
    pub(crate) n: usize,
    pub(crate) is_streamed: bool,
    /// Whether the stream ends with its usage.
    pub(crate) has_usage: bool,
}

/// Options of a stream. Others are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenAiStreamOptions)]
pub(crate) struct StreamOptions {
    /// Whether a last part tells the number of tokens.
    include_usage: Option<bool>,
}

impl StreamOptions {
    /// Tells whether the caller wants the usage.
    pub(crate) fn has_usage(options: Option<&Self>) -> bool {
        options
            .and_then(|options| options.include_usage)
            .unwrap_or_default()
    }
}

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiAnswer)]
pub(crate) struct Answer<C> {
    #[serde(flatten)]
    head: Head,
    choices: Vec<C>,
    usage: TokenCounts,
}

/// Facts of an answer that all of its parts tell alike.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiAnswerHead)]
pub(crate) struct Head {
    id: String,
    object: &'static str,
    /// Seconds since 1970.
    created: i64,
    /// The model, as the caller named it.
    model: String,
}

impl Head {
    /// Makes the facts of an answer that is made now.
    pub(crate) fn new(id: &'static str, object: &'static str, model: String) -> Self {
        Self {
            id: format!("{id}{}", random_hex(16)),
            object,
            created: Timestamp::now().as_second(),
            model,
        }
    }
}

/// Tokens of a request.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = OpenAiTokenCounts)]
pub(crate) struct TokenCounts {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
}

/// Tokens of the choices that have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    n: usize,
    prompt: u64,
    completion: u64,
}

impl Tally {
    /// Makes a tally of none, for `n` choices a prompt.
    pub(crate) fn new(n: usize) -> Self {
        Self {
            n: n.max(1),
            prompt: 0,
            completion: 0,
        }
    }

    /// Adds a choice. A prompt counts once, however many answers there are to it.
    pub(crate) fn add(&mut self, end: &End) {
        if end.choice.is_multiple_of(self.n) {
            self.prompt += u64::from(end.usage.input_tokens);
        }
        self.completion += u64::from(end.usage.output_tokens);
    }

    /// Returns the sums.
    pub(crate) fn counts(self) -> TokenCounts {
        TokenCounts {
            prompt_tokens: self.prompt,
            completion_tokens: self.completion,
            total_tokens: self.prompt + self.completion,
        }
    }
}

/// Answers a request for text.
pub(crate) async fn answer<F: Form>(
    service: &Service,
    context: Context,
    asked: Asked,
) -> Result<Response, ApiError> {
    let model = service.call(&asked.model, &context)?;
    let patience = asked.is_streamed.then_some(service.settings().silence);
    let choices = asked.prompts.len() * asked.n;
    let events = Events::start_each(&model, &context, asked.prompts, asked.n, patience).await;
    let in_words_of_clients = |error| error::name_context_length(error, &model);
    let events = events.map_err(in_words_of_clients)?;
    let tally = Tally::new(asked.n);
    if asked.is_streamed {
        let head = Head::new(F::ID, F::CHUNK_OBJECT, asked.model);
        let chunks = Chunks::<F>::new(head, choices, tally, asked.has_usage);
        let media_type = sse::MEDIA_TYPE;
        return Ok(stream::response(
            media_type, service, context, events, chunks,
        ));
    }
    let head = Head::new(F::ID, F::OBJECT, asked.model);
    let answer = whole::<F>(head, tally, events).await;
    let answer = answer.map_err(in_words_of_clients)?;
    Ok(json_response(StatusCode::OK, &answer))
}

/// Makes a whole answer of the events.
pub(crate) async fn whole<F: Form>(
    head: Head,
    mut tally: Tally,
    events: Events,
) -> Result<Answer<F::Choice>, ApiError> {
    let wholes = events.collect().await?;
    let choices = wholes.into_iter().enumerate().map(|(index, whole)| {
        tally.add(&whole.end);
        F::whole(index, whole.text, finish_reason(&whole.end.reason))
    });
    Ok(Answer {
        choices: choices.collect(),
        head,
        usage: tally.counts(),
    })
}

/// Returns OpenAI's word for a model's reason to end. Clients know a few words and fail on others.
pub(crate) fn finish_reason(reason: &str) -> &'static str {
    match reason {
        "length" => "length",
        "content-filter" => "content_filter",
        _ => "stop",
    }
}
