//! `init` spins for ever.
//!
//! Promise: loading a model has a budget of its own. Expected at load: `limit.deadline`;
//! `limit.fuel` where fuel runs out first.

use std::hint::black_box;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

fn init() -> Result<(), Error> {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
