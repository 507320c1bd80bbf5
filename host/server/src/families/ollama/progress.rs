//! Ends, costs and times of Ollama's answers.

use std::time::{Duration, Instant};

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::generation::End;
use crate::request::context::Context;

/// The state of an answer: in its last line, its end and costs. Durations are in nanoseconds.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = OllamaProgress)]
pub(crate) struct Progress {
    /// True in the last line, and in an answer that is not streamed.
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
    /// From then to the first text of the answer.
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

impl Progress {
    /// Makes the end of an answer to a request without a prompt.
    pub(crate) fn loaded() -> Self {
        Self {
            done: true,
            done_reason: Some("load".to_owned()),
            ..Self::default()
        }
    }
}

/// A stopwatch of one generation.
pub(crate) struct Stopwatch {
    came: Instant,
    asked: Instant,
    first: Option<Instant>,
}

impl Stopwatch {
    pub(crate) fn start(context: &Context) -> Self {
        Self {
            came: context.begun(),
            asked: Instant::now(),
            first: None,
        }
    }

    pub(crate) fn has_begun(&mut self) {
        self.first.get_or_insert_with(Instant::now);
    }

    pub(crate) fn over(&self, end: &End) -> Progress {
        let now = Instant::now();
        let first = self.first.unwrap_or(now);
        let load = end.report.as_ref();
        let load = load.map_or(Duration::ZERO, |report| report.start_wall);
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

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
