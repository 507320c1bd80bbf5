//! Text generation: a sandbox held for one answer, which comes a chunk at a time.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use ampoule_sandbox::contract::Task;
use ampoule_sandbox::imports::bindings::exports::ampoule::model::text_generation as wit;
use ampoule_sandbox::limits::{MAX_OPTIONS, MAX_STOP_STRINGS};
use ampoule_sandbox::{Error, Limit, Limits, Phase, Result};
use ampoule_units::ByteSize;
use wasmtime::component::ResourceAny;

use crate::model::Model;
use crate::sandbox::held_sandbox::{End, HeldSandbox};
use crate::sandbox::request_sandbox::{Sandbox, SandboxReport};
use crate::schedule::chores::Chore;
use crate::schedule::queue::Urgency;
use crate::tasks::answer::Usage;
use crate::tasks::answer_check::check_finish;
use crate::tasks::image::Image;
use crate::tasks::input::{InputChecks as _, check, check_name, too_large};

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Content {
    /// Text.
    Text(String),
    /// A picture.
    Image(Image),
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Message {
    /// The speaker: `system`, `user` or `assistant`.
    pub role: String,
    /// The parts, in reading order.
    pub content: Vec<Content>,
}

/// Rules for the choice of the next token; by default [`Sampling::GREEDY`].
///
/// ```
/// use ampoule_serve::Sampling;
///
/// let warm = Sampling {
///     temperature: 0.7,
///     ..Sampling::default()
/// };
/// assert_eq!(warm.top_p, 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Sampling {
    /// Divides the logits. 0 is greedy.
    pub temperature: f32,
    /// Keeps the likeliest tokens whose probabilities add up to this; 1 keeps all.
    pub top_p: f32,
    /// Keeps this many of the likeliest tokens; 0 keeps all.
    pub top_k: u32,
    /// Makes sampling repeatable: one seed gives one answer to one request.
    pub seed: Option<u64>,
}

impl Sampling {
    /// Always the likeliest token.
    pub const GREEDY: Self = Self {
        temperature: 0.0,
        top_p: 1.0,
        top_k: 0,
        seed: None,
    };
}

impl Default for Sampling {
    fn default() -> Self {
        Self::GREEDY
    }
}

/// A conversation to continue, and the end of the continuation. By default the conversation is empty, and its
/// continuation is chosen greedily and has [`GenerationRequest::DEFAULT_OUTPUT_TOKENS`] at most.
///
/// Later versions may have more fields: write the rest as `..GenerationRequest::default()`.
///
/// ```
/// use ampoule_serve::GenerationRequest;
///
/// let request = GenerationRequest {
///     stop: vec!["\n".to_owned()],
///     ..GenerationRequest::question("Where is the library?", 100)
/// };
/// assert_eq!(request.messages.len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct GenerationRequest {
    /// The conversation so far, the oldest turn first.
    pub messages: Vec<Message>,
    /// Rules for the choice of the next token.
    pub sampling: Sampling,
    /// The most tokens to write.
    pub max_output_tokens: u32,
    /// Generation ends before the first of these.
    pub stop: Vec<String>,
    /// Settings that only some models know, by name.
    pub options: Vec<(String, String)>,
}

impl Default for GenerationRequest {
    fn default() -> Self {
        Self {
            messages: Vec::new(),
            sampling: Sampling::GREEDY,
            max_output_tokens: Self::DEFAULT_OUTPUT_TOKENS,
            stop: Vec::new(),
            options: Vec::new(),
        }
    }
}

impl GenerationRequest {
    /// Most tokens of an answer by default: a paragraph or two.
    pub const DEFAULT_OUTPUT_TOKENS: u32 = 256;

    /// Asks one question, answered greedily in at most `max_output_tokens`.
    #[must_use]
    pub fn question(text: impl Into<String>, max_output_tokens: u32) -> Self {
        Self {
            messages: vec![Message {
                role: "user".to_owned(),
                content: vec![Content::Text(text.into())],
            }],
            max_output_tokens,
            ..Self::default()
        }
    }
}

/// The next piece of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Chunk {
    /// Whole characters of any kind, possibly none. What shows them in a terminal passes them through
    /// [`harmless_text`](ampoule_units::text::lines).
    pub text: String,
    /// Present in the last chunk, and only there.
    pub finish: Option<Finish>,
}

/// The end of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Finish {
    /// `stop`, `stop-string`, `length`, or another word of lower-case letters.
    pub reason: String,
    /// The cost of the whole generation in tokens.
    pub usage: Usage,
}

/// A generation in progress. Dropping it ends it and frees its sandbox.
///
/// One deadline and one budget of fuel cover the whole generation, the time between two calls
/// included: at the deadline its sandbox goes, whether or not anybody asks for the next chunk. If nobody does
/// for as long as [`Limits::idle`](ampoule_sandbox::Limits) says, it goes before.
pub struct Generation {
    model: Model,
    indices: wit::GuestIndices,
    resource: ResourceAny,
    pub(super) sandbox: Arc<HeldSandbox>,
    max_output_tokens: u32,
    /// Chunks that were asked for.
    chunks: u32,
    /// Bytes of text that came in them.
    bytes: usize,
    is_finished: bool,
    /// Cost so far, without the log, which stays where it is written until somebody wants it.
    pub(super) costs: SandboxReport,
}

impl Model {
    /// Starts a generation: text, or text and images in; text out.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn generate(&self, request: GenerationRequest) -> Result<Generation> {
        let indices = self.accept(|| {
            let exports = self.exports().text_generation.clone();
            let indices = exports.ok_or_else(|| self.lacks(Task::TextGeneration))?;
            check_generation(self.limits(), &request)?;
            Ok(indices)
        })?;
        let max_output_tokens = request.max_output_tokens;
        let request: wit::GenerationRequest = request.into();
        let load = indices.clone();
        let (sandbox, costs, resource) = self
            .open_sandbox(async move |store, instance| {
                let guest = load.load(&mut *store, instance)?;
                guest.call_generate(store, &request).await
            })
            .await?;
        Ok(Generation {
            model: self.clone(),
            indices,
            resource,
            sandbox,
            max_output_tokens,
            chunks: 0,
            bytes: 0,
            is_finished: false,
            costs,
        })
    }
}

impl Generation {
    /// The next chunk; `None` once the last one was returned.
    ///
    /// # Errors
    ///
    /// `limit.*`, `guest.*`, `input.*`; `limit.idle` when nobody has asked for too long; after a call that
    /// failed or was dropped half-way, `usage.generation`.
    pub async fn next(&mut self) -> Result<Option<Chunk>> {
        if self.is_finished {
            return Ok(None);
        }
        let Some(sandbox) = self.sandbox.take() else {
            return Err(self.why_over());
        };
        let allowed = self.model.limits().chunks;
        if self.chunks >= allowed {
            self.discard(sandbox);
            return Err(Error::Chunks { allowed });
        }
        self.chunks += 1;

        let mut unfinished = Unfinished(Some(self));
        let result = self.call(sandbox).await;
        unfinished.0 = None;
        drop(unfinished);
        let (costs, bytes, chunk) = result?;
        self.costs = costs;
        self.bytes = bytes;
        self.is_finished = chunk.finish.is_some();
        Ok(Some(chunk))
    }

    /// Asks the guest for the next chunk. If there are more, the sandbox is held for them afterwards.
    /// Returns what it has cost by then, the bytes that have come by then, and the chunk.
    async fn call(&self, sandbox: Sandbox) -> Result<(SandboxReport, usize, Chunk)> {
        let indices = self.indices.clone();
        let resource = self.resource;
        let held = Arc::clone(&self.sandbox);
        let expires = held.expires();
        let answer = Progress {
            bytes: self.bytes,
            allowed: self.model.output_bytes(),
            max_output_tokens: self.max_output_tokens,
        };
        let work = async move |cancelled| {
            let call = sandbox.call(cancelled, async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.generation().call_next(store, resource).await
            });
            let (sandbox, chunk) = call.await?;
            // Here and not where it is waited for, which may be never; and what goes, goes on the
            // guests' thread.
            let (bytes, chunk) = answer.take(chunk)?;
            let costs = sandbox.costs();
            if chunk.finish.is_none() {
                held.put(sandbox);
            }
            Ok((costs, bytes, chunk))
        };
        self.model.run(Urgency::Continued, expires, work).await
    }

    fn why_over(&self) -> Error {
        match self.sandbox.end() {
            None | Some(End::Abandoned) => Error::GenerationOver,
            Some(End::Idle) => Error::Idle {
                allowed: self.model.limits().idle,
            },
            Some(End::Deadline) => Error::Deadline {
                phase: Phase::Request,
                allowed: self.model.deadline(),
            },
        }
    }

    /// Drops a sandbox where it delays nobody: it may have gigabytes to unmap. Its place is free at
    /// once.
    fn discard(&self, mut sandbox: Sandbox) {
        sandbox.give_up_place();
        let unmap = Chore::once(Instant::now(), move || drop(sandbox));
        self.model.add_chore(unmap);
    }

    /// Returns the cost of the generation up to the last chunk that came, with an empty log. A step that failed, or that
    /// nobody waited for, is not part of it.
    #[must_use]
    pub fn costs(&self) -> &SandboxReport {
        &self.costs
    }

    /// Returns what the generation has cost so far, with all that its guest has said. The log is copied each
    /// time: ask once, at the end.
    #[must_use]
    pub fn report(&self) -> SandboxReport {
        SandboxReport {
            log: self.sandbox.log().snapshot(),
            ..self.costs.clone()
        }
    }
}

/// A generation's answer so far, and what more may come.
struct Progress {
    bytes: usize,
    allowed: usize,
    max_output_tokens: u32,
}

impl Progress {
    /// Takes the next chunk. Returns how many bytes have come with it.
    fn take(self, chunk: Option<wit::Chunk>) -> Result<(usize, Chunk)> {
        let Some(chunk) = chunk else {
            return Err(Error::Answer {
                reason: "the generation ended without a last chunk that says how".to_owned(),
            });
        };
        let bytes = self.bytes.saturating_add(chunk.text.len());
        if bytes > self.allowed {
            return Err(Error::Output {
                phase: Phase::Request,
                allowed: ByteSize::from_bytes(self.allowed as u64),
            });
        }
        if let Some(finish) = &chunk.finish {
            check_finish(finish, self.max_output_tokens)?;
        }
        Ok((bytes, chunk.into()))
    }
}

/// Drop guard: a cancelled `next` has lost a chunk, so the guard ends the generation.
struct Unfinished<'a>(Option<&'a Generation>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(generation) = self.0
            && let Some(sandbox) = generation.sandbox.finish(End::Abandoned)
        {
            generation.discard(sandbox);
        }
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        if let Some(sandbox) = self.sandbox.finish(End::Abandoned) {
            self.discard(sandbox);
        }
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("model", &self.model)
            .field("chunks", &self.chunks)
            .field("is_finished", &self.is_finished)
            .field("costs", &self.costs)
            .finish_non_exhaustive()
    }
}

impl From<wit::Chunk> for Chunk {
    fn from(chunk: wit::Chunk) -> Self {
        Self {
            text: chunk.text,
            finish: chunk.finish.map(|finish| Finish {
                reason: finish.reason,
                usage: finish.usage.into(),
            }),
        }
    }
}

impl From<GenerationRequest> for wit::GenerationRequest {
    fn from(request: GenerationRequest) -> Self {
        Self {
            messages: request.messages.into_iter().map(Into::into).collect(),
            sampling: wit::Sampling {
                temperature: request.sampling.temperature,
                top_p: request.sampling.top_p,
                top_k: request.sampling.top_k,
                seed: request.sampling.seed,
            },
            max_output_tokens: request.max_output_tokens,
            stop: request.stop,
            options: request
                .options
                .into_iter()
                .map(|(key, value)| wit::Property { key, value })
                .collect(),
        }
    }
}

impl From<Message> for wit::Message {
    fn from(message: Message) -> Self {
        Self {
            role: message.role,
            content: message
                .content
                .into_iter()
                .map(|content| match content {
                    Content::Text(text) => wit::Content::Text(text),
                    Content::Image(image) => wit::Content::Image(image.into()),
                })
                .collect(),
        }
    }
}

/// Checks what is to be generated: turns, texts, stop strings and options each have a bound of their own.
/// The first text of a turn counts as the turn, so that a conversation may have as many turns as it may,
/// with something said in each.
fn check_generation(limits: &Limits, request: &GenerationRequest) -> Result<()> {
    check(
        Some(Limit::Turns),
        "turns in one conversation",
        request.messages.len(),
        limits.turns,
    )?;
    let contents = || request.messages.iter().flat_map(|message| &message.content);
    let images = contents().filter(|content| matches!(content, Content::Image(_)));
    limits.check_image_count(images.count())?;
    let beyond_first = request.messages.iter().map(|message| {
        let texts = message.content.iter();
        let texts = texts.filter(|content| matches!(content, Content::Text(_)));
        texts.count().saturating_sub(1)
    });
    check(
        Some(Limit::Texts),
        "texts beyond the first of each turn",
        beyond_first.sum(),
        limits.texts,
    )?;
    let mut chars = 0_usize;
    for content in contents() {
        match content {
            Content::Text(text) => chars = chars.saturating_add(limits.check_text(text)?),
            Content::Image(image) => limits.check_image(image)?,
        }
    }
    let most = limits.text_chars.saturating_mul(limits.texts);
    if chars > most {
        // Two limits make this one together, so no value of one of them is named.
        return Err(too_large(
            Some(Limit::TextChars),
            "characters in one conversation",
            format!("{chars} in all"),
            format!("{} times {}", limits.texts, limits.text_chars),
        ));
    }
    for message in &request.messages {
        check_name("characters in a role", &message.role)?;
    }
    check(None, "stop strings", request.stop.len(), MAX_STOP_STRINGS)?;
    for stop in &request.stop {
        limits.check_text(stop)?;
    }
    check(None, "options", request.options.len(), MAX_OPTIONS)?;
    for (key, value) in &request.options {
        check_name("characters in an option's name", key)?;
        limits.check_text(value)?;
    }
    let Sampling {
        temperature, top_p, ..
    } = request.sampling;
    if !(temperature.is_finite() && temperature >= 0.0 && (0.0..=1.0).contains(&top_p)) {
        return Err(Error::InvalidInput {
            reason: format!(
                "temperature {temperature} and top-p {top_p}: a finite temperature of at \
                 least 0 and a top-p from 0 to 1 are expected"
            ),
        });
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ampoule_sandbox::limits::MAX_NAME_CHARS;

    use super::*;

    fn conversation(turns: usize, texts: usize) -> GenerationRequest {
        let mut request = GenerationRequest::question("", 1);
        let turn = Message {
            role: "user".to_owned(),
            content: vec![Content::Text("é".to_owned()); texts],
        };
        request.messages = vec![turn; turns];
        request
    }

    #[test]
    fn a_conversation_has_its_own_limits_on_turns_stop_strings_and_options() {
        let limits = Limits::default();
        let turns = |turns, texts| check_generation(&limits, &conversation(turns, texts));
        turns(129, 1).unwrap();
        turns(limits.turns, 1).unwrap();
        turns(1, limits.texts + 1).unwrap();
        turns(0, 0).unwrap();
        let mut stopping = conversation(1, 1);
        stopping.stop = vec![String::new(); MAX_STOP_STRINGS];
        stopping.options = vec![(String::new(), String::new()); MAX_OPTIONS];
        check_generation(&limits, &stopping).unwrap();

        let mut stops = stopping.clone();
        stops.stop.push(String::new());
        let mut options = stopping.clone();
        options.options.push(Default::default());
        let mut named = stopping.clone();
        named.options[0].0 = "🦀".repeat(MAX_NAME_CHARS + 1);
        let mut role = stopping;
        role.messages[0].role = "x".repeat(10_000_000);
        let mut long = conversation(limits.texts + 1, 1);
        for message in &mut long.messages {
            message.content = vec![Content::Text("x".repeat(limits.text_chars))];
        }
        for (request, what) in [
            (conversation(10_000, 0), "turns"),
            (conversation(10_000, 1), "turns"),
            (
                conversation(1, 10_000),
                "texts beyond the first of each turn",
            ),
            (
                conversation(2, limits.texts / 2 + 2),
                "texts beyond the first",
            ),
            (stops, "stop strings: 257 found, 256 allowed"),
            (options, "options: 65 found, 64 allowed"),
            (named, "option's name"),
            (role, "role"),
            (long, "characters in one conversation"),
        ] {
            let error = check_generation(&limits, &request).unwrap_err();
            assert_eq!(error.code(), "input.too-large");
            assert!(error.to_string().contains(what), "{error}");
        }
    }
}
