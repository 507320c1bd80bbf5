//! A stream against the whole answer, for random events in a random order.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use ampoule::{SandboxReport, Usage};
use http_body_util::BodyExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::Chunks;
use crate::core::generation::{End, Event, Events};
use crate::error::ApiError;
use crate::families::openai::chat::Chat;
use crate::families::openai::choices::{ChoiceTypes, Head, Tally, whole};
use crate::families::openai::completions::Completion;
use crate::http::stream;
use crate::request::context::Context;
use crate::request::family::Family;

const ROUNDS: u64 = 500;

/// Texts that a careless writer of frames, or of JSON, would break.
const PIECES: [&str; 12] = [
    "word ",
    "\n",
    "\r\n\n",
    "data: [DONE]\n\n",
    ": ",
    "event: error\n",
    "🦀",
    "é",
    "\u{2028}",
    "\"\\",
    "{}",
    "\u{0}",
];

struct Chance(ChaCha8Rng);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).unwrap()
    }
}

fn report() -> SandboxReport {
    let log = json!({"messages": [], "dropped_bytes": 0});
    let report = json!({
        "fuel": 0, "peak_memory_bytes": 0, "wall_ms": 0.0, "start_wall_ms": 0.0, "start_fuel": 0, "log": log,
    });
    serde_json::from_value(report).unwrap()
}

/// Makes events of so many choices: each has some texts and its end, and they come in any order between choices.
fn events(choices: usize, chance: &mut Chance) -> Vec<Event> {
    let mut left: Vec<usize> = (0..choices).map(|_| chance.below(8)).collect();
    let mut open: Vec<usize> = (0..choices).collect();
    let mut events = Vec::new();
    while !open.is_empty() {
        let at = chance.below(open.len());
        let choice = open[at];
        if left[choice] > 0 {
            left[choice] -= 1;
            let pieces = (0..=chance.below(3)).map(|_| PIECES[chance.below(PIECES.len())]);
            let text = pieces.collect();
            events.push(Event::Text { choice, text });
        } else {
            open.swap_remove(at);
            let reasons = ["stop", "stop-string", "length", "content-filter", "tired"];
            events.push(Event::End(End {
                choice,
                reason: reasons[chance.below(reasons.len())].to_owned(),
                usage: Usage {
                    input_tokens: u32::try_from(chance.below(100)).unwrap(),
                    output_tokens: u32::try_from(chance.below(100)).unwrap(),
                },
                report: Some(report()),
            }));
        }
    }
    events
}

/// A stream as a client puts it together.
#[derive(Default)]
struct Client {
    texts: Vec<String>,
    reasons: Vec<Value>,
    usage: Value,
    error: Value,
    is_done: bool,
}

impl Client {
    /// Reads a stream, and checks that it keeps the order of one.
    fn read(
        body: &str,
        choices: usize,
        has_role: bool,
        delta: fn(&Value) -> Option<&Value>,
    ) -> Self {
        let mut client = Self {
            texts: vec![String::new(); choices],
            reasons: vec![Value::Null; choices],
            ..Self::default()
        };
        let mut head = Value::Null;
        let mut has_opened = vec![!has_role; choices];
        for frame in body.strip_suffix("\n\n").unwrap().split("\n\n") {
            assert!(
                !client.is_done && client.error.is_null(),
                "a frame after the end"
            );
            if let Some(error) = frame.strip_prefix("event: error\ndata: ") {
                client.error = serde_json::from_str(error).unwrap();
                continue;
            }
            let data = frame.strip_prefix("data: ").unwrap();
            assert!(!data.contains('\n'), "{frame}");
            if data == "[DONE]" {
                client.is_done = true;
                continue;
            }
            assert!(client.usage.is_null(), "a part after the usage");
            let mut chunk: Value = serde_json::from_str(data).unwrap();
            let parts = chunk["choices"].take();
            client.usage = chunk["usage"].take();
            chunk
                .as_object_mut()
                .unwrap()
                .retain(|key, _| key != "choices" && key != "usage");
            if head.is_null() {
                head = chunk.clone();
            }
            assert_eq!(chunk, head);
            let [part] = parts.as_array().unwrap().as_slice() else {
                assert!(!client.usage.is_null() && parts == json!([]), "{frame}");
                continue;
            };
            let index = usize::try_from(part["index"].as_u64().unwrap()).unwrap();
            assert!(client.reasons[index].is_null(), "a part after the finish");
            if has_role {
                let is_first = !std::mem::replace(&mut has_opened[index], true);
                assert_eq!(part["delta"].get("role").is_some(), is_first, "{frame}");
            }
            client.reasons[index] = part["finish_reason"].clone();
            let text = delta(part).and_then(Value::as_str).unwrap_or_default();
            assert!(
                text.is_empty() || client.reasons[index].is_null(),
                "text with the finish"
            );
            client.texts[index].push_str(text);
        }
        client
    }
}

async fn streamed<T: ChoiceTypes>(
    all: Vec<Result<Event, ApiError>>,
    choices: usize,
    n: usize,
    has_usage: bool,
) -> String {
    let head = Head::new(T::ID, T::CHUNK_OBJECT, "m".to_owned());
    let chunks = Chunks::<T>::new(head, choices, Tally::new(n), has_usage);
    let context = Context::new(Family::OpenAi, None);
    let events = Events::of(choices, all);
    let body = stream::body(Duration::from_secs(60), context, events, chunks);
    let bytes = body.collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn a_stream_put_together_is_the_whole_answer<T: ChoiceTypes>(
    has_role: bool,
    delta: fn(&Value) -> Option<&Value>,
    content: fn(&Value) -> &Value,
) {
    for seed in 0..ROUNDS {
        let mut chance = Chance(ChaCha8Rng::seed_from_u64(seed));
        let (prompts, n) = (1 + chance.below(2), 1 + chance.below(3));
        let choices = prompts * n;
        let events = events(choices, &mut chance);
        let has_usage = chance.below(2) == 0;
        let all = || events.iter().cloned().map(Ok).collect::<Vec<_>>();

        let head = Head::new(T::ID, T::OBJECT, "m".to_owned());
        let whole = whole::<T>(head, Tally::new(n), Events::of(choices, all()))
            .await
            .unwrap();
        let whole = serde_json::to_value(whole).unwrap();
        let body = streamed::<T>(all(), choices, n, has_usage).await;
        let client = Client::read(&body, choices, has_role, delta);
        assert!(client.is_done && client.error.is_null());
        for (index, choice) in whole["choices"].as_array().unwrap().iter().enumerate() {
            assert_eq!(content(choice), &client.texts[index], "{seed}");
            assert_eq!(choice["finish_reason"], client.reasons[index], "{seed}");
        }
        let usage = if has_usage {
            whole["usage"].clone()
        } else {
            Value::Null
        };
        assert_eq!(client.usage, usage, "{seed}");

        // An error at any place: what came before stays, and nothing looks like success.
        let mut cut = all();
        cut.truncate(chance.below(events.len()));
        cut.push(Err(ApiError::broken_answer("broken")));
        let body = streamed::<T>(cut, choices, n, has_usage).await;
        let client_of_cut = Client::read(&body, choices, has_role, delta);
        assert_eq!(client_of_cut.error["error"]["code"], "guest.answer");
        assert!(!client_of_cut.is_done && client_of_cut.usage.is_null());
        for (part, text) in client_of_cut.texts.iter().zip(&client.texts) {
            assert!(text.starts_with(part.as_str()), "{seed}");
        }
    }
}

#[tokio::test]
async fn a_streamed_conversation_is_the_whole_one() {
    a_stream_put_together_is_the_whole_answer::<Chat>(
        true,
        |part| part["delta"].get("content"),
        |choice| &choice["message"]["content"],
    )
    .await;
}

#[tokio::test]
async fn a_streamed_completion_is_the_whole_one() {
    a_stream_put_together_is_the_whole_answer::<Completion>(
        false,
        |part| part.get("text"),
        |choice| &choice["text"],
    )
    .await;
}
