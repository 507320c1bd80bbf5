//! `describe` spins for ever.
//!
//! Promise: there is no call into a guest without a deadline. Expected at load, or whenever the host
//! asks: `limit.deadline`; `limit.fuel` where fuel runs out first.

use std::hint::black_box;

use ampoule_test_guests::lifecycle::ModelInfo;
use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(ordinary::init, describe);
export_text_embedding!(embed);

fn describe() -> ModelInfo {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
