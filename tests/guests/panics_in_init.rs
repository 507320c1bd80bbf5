//! `init` panics.
//!
//! Promise: a model that crashes while it is loaded is an error of `load`, and the host goes on.
//! Expected at load: `guest.trap`.

#![expect(clippy::panic, reason = "what this guest is for")]

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

fn init() -> Result<(), Error> {
    panic!("cannot be loaded")
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
