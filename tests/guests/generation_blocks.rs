//! The first `next` has a word; the second never returns.
//!
//! Promise: a request ends at its deadline between any two chunks, and the caller keeps what it
//! got. Expected: one chunk, then `limit.deadline`; `limit.fuel` where fuel runs out first.

use std::cell::Cell;
use std::hint::black_box;

use ampoule_test_guests::text_generation::{Chunk, GenerationRequest, GuestGeneration};
use ampoule_test_guests::{Error, export_lifecycle, export_text_generation};

export_lifecycle!();
export_text_generation!(generate => Blocks);

/// The generation that gets stuck.
pub struct Blocks {
    chunks: Cell<u64>,
}

fn generate(_request: GenerationRequest) -> Result<Blocks, Error> {
    Ok(Blocks {
        chunks: Cell::new(0),
    })
}

impl GuestGeneration for Blocks {
    fn next(&self) -> Result<Option<Chunk>, Error> {
        self.chunks.set(self.chunks.get() + 1);
        while self.chunks.get() > 1 {
            self.chunks.set(black_box(self.chunks.get() + 1));
        }
        Ok(Some(Chunk {
            text: "once ".to_owned(),
            finish: None,
        }))
    }
}
