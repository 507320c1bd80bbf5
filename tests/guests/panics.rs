//! `embed` panics, with a message on stderr that repeats its input.
//!
//! Promise: a panic of the guest is an error of one request, and its message reaches the log of guests
//! and nobody else. Expected: `guest.trap`.

#![expect(clippy::panic, reason = "what this guest is for")]

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    panic!("asked to embed {} texts: {texts:?}", texts.len())
}
