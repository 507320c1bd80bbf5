//! The stream of choices: for each one its opening, its texts and its end; then the usage for those who asked, and the
//! mark that the stream is whole.

use std::marker::PhantomData;

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::generation::End;
use crate::error::ApiError;
use crate::families::openai::choices::{ChoiceTypes, Head, Tally, TokenCounts, finish_reason};
use crate::families::openai::error;
use crate::http::sse;
use crate::http::stream::Dialect;

/// A chunk of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiChunk)]
pub(crate) struct Chunk<P> {
    #[serde(flatten)]
    head: Head,
    /// One choice; none beside the usage.
    choices: Vec<P>,
    /// In the last chunk, for those who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<TokenCounts>,
}

/// A stream of choices.
#[derive(Debug)]
pub(crate) struct Chunks<T> {
    head: Head,
    /// True for each choice that has ended.
    has_ended: Vec<bool>,
    tally: Tally,
    has_usage: bool,
    types: PhantomData<T>,
}

impl<T: ChoiceTypes> Chunks<T> {
    /// Makes a stream of so many choices.
    pub(crate) fn new(head: Head, choices: usize, tally: Tally, has_usage: bool) -> Self {
        Self {
            head,
            has_ended: vec![false; choices],
            tally,
            has_usage,
            types: PhantomData,
        }
    }

    fn write(&self, choice: T::ChunkChoice, out: &mut Vec<u8>) {
        let chunk = Chunk {
            head: self.head.clone(),
            choices: vec![choice],
            usage: None,
        };
        sse::data(out, &chunk);
    }
}

impl<T: ChoiceTypes> Dialect for Chunks<T> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        for opening in (0..self.has_ended.len()).filter_map(T::opening) {
            self.write(opening, out);
        }
    }

    fn text(&mut self, choice: usize, text: String, out: &mut Vec<u8>) {
        self.write(T::text(choice, text), out);
    }

    fn end(&mut self, end: End, out: &mut Vec<u8>) {
        self.tally.add(&end);
        if let Some(has_ended) = self.has_ended.get_mut(end.choice) {
            *has_ended = true;
        }
        self.write(T::end(end.choice, finish_reason(&end.reason)), out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.has_usage {
            let chunk = Chunk::<T::ChunkChoice> {
                head: self.head.clone(),
                choices: Vec::new(),
                usage: Some(self.tally.counts()),
            };
            sse::data(out, &chunk);
        }
        sse::done(out);
    }

    fn silence(&mut self, out: &mut Vec<u8>) {
        // A part with an empty text, and no comment: some clients take a comment's empty line for an event.
        if let Some(open) = self.has_ended.iter().position(|has_ended| !has_ended) {
            self.write(T::text(open, String::new()), out);
        }
    }

    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        sse::event(out, "error", &error::body(error));
    }
}

#[cfg(test)]
#[path = "chunks_tests.rs"]
mod tests;
