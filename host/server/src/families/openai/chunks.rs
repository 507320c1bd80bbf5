//! The stream of choices: for each one its opening, its texts and its end; then the usage for those who asked, and the
//! mark that the stream is whole.

use std::marker::PhantomData;

use serde::Serialize;
use utoipa::ToSchema;

use crate::core::generation::End;
use crate::error::ApiError;
use crate::families::openai::choices::{Form, Head, Tally, TokenCounts, finish_reason};
use crate::families::openai::error;
use crate::http::sse;
use crate::http::stream::Dialect;

/// A part of a stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OpenAiChunk)]
pub(crate) struct Chunk<P> {
    #[serde(flatten)]
    head: Head,
    /// One part of one choice; none beside the usage.
    choices: Vec<P>,
    /// In the last part, for those who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<TokenCounts>,
}

/// A stream of choices.
#[derive(Debug)]
pub(crate) struct Chunks<F> {
    head: Head,
    /// True for each choice that has ended.
    has_ended: Vec<bool>,
    tally: Tally,
    has_usage: bool,
    form: PhantomData<F>,
}

impl<F: Form> Chunks<F> {
    /// Makes a stream of so many choices.
    pub(crate) fn new(head: Head, choices: usize, tally: Tally, has_usage: bool) -> Self {
        Self {
            head,
            has_ended: vec![false; choices],
            tally,
            has_usage,
            form: PhantomData,
        }
    }

    fn write(&self, piece: F::Piece, out: &mut Vec<u8>) {
        let chunk = Chunk {
            head: self.head.clone(),
            choices: vec![piece],
            usage: None,
        };
        sse::data(out, &chunk);
    }
}

impl<F: Form> Dialect for Chunks<F> {
    fn begin(&mut self, out: &mut Vec<u8>) {
        for piece in (0..self.has_ended.len()).filter_map(F::opening) {
            self.write(piece, out);
        }
    }

    fn text(&mut self, choice: usize, text: String, out: &mut Vec<u8>) {
        self.write(F::text(choice, text), out);
    }

    fn end(&mut self, end: End, out: &mut Vec<u8>) {
        self.tally.add(&end);
        if let Some(has_ended) = self.has_ended.get_mut(end.choice) {
            *has_ended = true;
        }
        self.write(F::end(end.choice, finish_reason(&end.reason)), out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.has_usage {
            let chunk = Chunk::<F::Piece> {
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
            self.write(F::text(open, String::new()), out);
        }
    }

    fn fail(&mut self, error: &ApiError, out: &mut Vec<u8>) {
        sse::event(out, "error", &error::body(error));
    }
}

#[cfg(test)]
#[path = "chunks_tests.rs"]
mod tests;
