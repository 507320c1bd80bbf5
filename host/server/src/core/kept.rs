//! Kept answers: one call of a sandbox is looked up, and its answer kept, whole.
//!
//! A batch is one call, since a model may give a text other bits beside other texts. So what is found is what that call
//! gave, to the bit.

use ampoule::{Model, Usage};
use ampoule_answers::{MAX_ANSWER_BYTES, Question, QuestionBuilder, TenantAnswers};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::request::context::Context;

/// A call that may be answered by a kept answer.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    answers: TenantAnswers,
    question: Question,
    model: Model,
}

/// Vectors of one call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeptVectors {
    pub(crate) dimensions: u64,
    pub(crate) values: Vec<f32>,
    pub(crate) truncated: Vec<bool>,
    pub(crate) usage: KeptUsage,
}

/// A generation, chunk by chunk, so that a stream of it is as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptGeneration {
    pub(crate) texts: Vec<String>,
    pub(crate) reason: String,
    pub(crate) usage: KeptUsage,
}

/// Tokens of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeptUsage {
    input_tokens: u32,
    output_tokens: u32,
}

impl From<Usage> for KeptUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
        }
    }
}

impl From<KeptUsage> for Usage {
    fn from(kept: KeptUsage) -> Self {
        Self {
            input_tokens: kept.input_tokens,
            output_tokens: kept.output_tokens,
        }
    }
}

impl Lookup {
    pub(crate) fn new(answers: TenantAnswers, question: QuestionBuilder, model: &Model) -> Self {
        Self {
            answers,
            question: question.finish(),
            model: model.clone(),
        }
    }

    /// Returns the kept answer, and notes a hit of `usage_of` it; or notes a miss.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        context: &Context,
        usage_of: impl FnOnce(&T) -> Usage,
    ) -> Option<T> {
        let found = if self.answers.is_on_disk() {
            let Self {
                answers, question, ..
            } = self.clone();
            let found = spawn_blocking(move || answers.find(&question)).await;
            found.ok().flatten()
        } else {
            self.answers.find(&self.question)
        };
        // What was sealed by this version is read by it.
        let answer = found.and_then(|bytes| postcard::from_bytes(&bytes).ok());
        match &answer {
            Some(answer) => context.note_hit(usage_of(answer)),
            None => context.notes().misses += 1,
        }
        answer
    }

    /// Keeps the answer of the call, if the model is trusted still.
    pub(crate) async fn keep(self, answer: &impl Serialize) {
        let bytes = postcard::to_allocvec(answer).map(Zeroizing::new);
        let Some(bytes) = bytes.ok().filter(|bytes| bytes.len() <= MAX_ANSWER_BYTES) else {
            return;
        };
        if self.model.check_trust().await.is_err() {
            return;
        }
        let Self {
            answers, question, ..
        } = self;
        if answers.is_on_disk() {
            // Nobody waits for the disk but this request, whose answer is to be found by its next one.
            let _ = spawn_blocking(move || answers.keep(&question, &bytes)).await;
        } else {
            answers.keep(&question, &bytes);
        }
    }
}

/// A generation that is being recorded, to be kept.
#[derive(Debug)]
pub(crate) struct Recorder {
    lookup: Lookup,
    kept: KeptGeneration,
    bytes: usize,
}

impl Recorder {
    pub(crate) fn new(lookup: Lookup) -> Self {
        Self {
            lookup,
            kept: KeptGeneration::default(),
            bytes: 0,
        }
    }

    /// Records a chunk. Returns the recorder, if the answer may be kept still.
    pub(crate) fn text(mut self, text: &str) -> Option<Self> {
        self.bytes = self.bytes.saturating_add(text.len());
        self.kept.texts.push(text.to_owned());
        (self.bytes <= MAX_ANSWER_BYTES).then_some(self)
    }

    /// Keeps the generation, which came to its end.
    pub(crate) async fn end(self, reason: &str, usage: Usage) {
        let kept = KeptGeneration {
            reason: reason.to_owned(),
            usage: usage.into(),
            ..self.kept
        };
        self.lookup.keep(&kept).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_kept_to_the_bit_and_chunks_as_they_came() {
        let values = vec![1.5e-39, -0.0, f32::MIN_POSITIVE, 0.1];
        let vectors = KeptVectors {
            dimensions: 2,
            values: values.clone(),
            truncated: vec![true, false],
            usage: KeptUsage::default(),
        };
        let bytes = postcard::to_allocvec(&vectors).unwrap();
        let read: KeptVectors = postcard::from_bytes(&bytes).unwrap();
        let bits = |values: &[f32]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&read.values), bits(&values));
        let generation = KeptGeneration {
            texts: ["a", "", "é"].map(str::to_owned).to_vec(),
            reason: "stop".to_owned(),
            usage: KeptUsage {
                input_tokens: 1,
                output_tokens: u32::MAX,
            },
        };
        let bytes = postcard::to_allocvec(&generation).unwrap();
        assert_eq!(postcard::from_bytes(&bytes), Ok(generation));
    }
}
