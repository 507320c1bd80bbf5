//! `embed` spins for ever, without asking the host for anything.
//!
//! Promise: a request ends at its deadline, whatever the guest does. Expected: `limit.deadline`;
//! `limit.fuel` where fuel runs out first.

use std::hint::black_box;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(_texts: Vec<String>) -> Result<Embeddings, Error> {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}
