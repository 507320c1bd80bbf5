//! `embed` answers with a vector of 64 Mi floats, or as many as the first text says.
//!
//! Promise: the host takes no more from a guest in one call than the sandbox's output limit.
//! Expected: `limit.output`; `limit.memory` in a sandbox with no room for the list.

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let floats = ordinary::amount(&texts, 64 << 20);
    Ok(Embeddings {
        dimensions: u32::try_from(floats).unwrap_or(u32::MAX),
        values: vec![0.0; floats],
        truncated: vec![false],
        usage: ordinary::usage(&texts),
    })
}
