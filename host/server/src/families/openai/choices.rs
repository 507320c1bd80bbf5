//! Choices: the answers to a request for text, as a whole.

use ampoule::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::generation::{End, Events};
use crate::error::ApiError;
use crate::request::context::random_hex;

/// Types of a route's choices.
pub(crate) trait ChoiceTypes: Send + 'static {
    /// The beginning of an answer's id.
    const ID: &'static str;
    /// The type of a whole answer.
    const OBJECT: &'static str;
    /// The type of a chunk of a stream.
    const CHUNK_OBJECT: &'static str;

    type Choice: Serialize;
    type ChunkChoice: Serialize;

    /// Makes a whole choice.
    fn whole(index: usize, text: String, finish_reason: &'static str) -> Self::Choice;

    /// Makes the chunk that opens a choice, where there is one.
    fn opening(index: usize) -> Option<Self::ChunkChoice>;

    /// Makes a chunk with some text.
    fn text(index: usize, text: String) -> Self::ChunkChoice;

    /// Makes the last chunk of a choice.
    fn end(index: usize, finish_reason: &'static str) -> Self::ChunkChoice;
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

/// Facts of an answer that all of its chunks tell alike.
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

/// Makes a whole answer of the events.
pub(crate) async fn whole<T: ChoiceTypes>(
    head: Head,
    mut tally: Tally,
    events: Events,
) -> Result<Answer<T::Choice>, ApiError> {
    let wholes = events.collect().await?;
    let choices = wholes.into_iter().enumerate().map(|(index, whole)| {
        tally.add(&whole.end);
        T::whole(index, whole.text, finish_reason(&whole.end.reason))
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
