//! `embed` hands `log.write` one message of 200 MiB, or as many bytes as the first text says.
//!
//! Promise: what the host copies of an import's arguments is bounded before it copies anything.
//! Expected: `limit.output`; `limit.memory` in a sandbox with no room for the message.

use ampoule_test_guests::log::{self, Level};
use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let message = "x".repeat(ordinary::amount(&texts, 200 << 20));
    log::write(Level::Info, &message);
    Ok(ordinary::embeddings(&texts, &[message.len() as f32]))
}
