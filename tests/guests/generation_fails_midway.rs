//! `next` has two words, then fails with `model.test`.
//!
//! Promise: the caller keeps what it got, and learns that there will be no more. Expected: two
//! chunks, then `guest.error`, naming `model.test`.

use std::cell::Cell;

use ampoule_test_guests::text_generation::{Chunk, GenerationRequest, GuestGeneration};
use ampoule_test_guests::{Error, export_lifecycle, export_text_generation, ordinary};

export_lifecycle!();
export_text_generation!(generate => Fails);

/// The generation that breaks off.
pub struct Fails {
    chunks: Cell<u32>,
}

fn generate(_request: GenerationRequest) -> Result<Fails, Error> {
    Ok(Fails {
        chunks: Cell::new(0),
    })
}

impl GuestGeneration for Fails {
    fn next(&self) -> Result<Option<Chunk>, Error> {
        self.chunks.set(self.chunks.get() + 1);
        if self.chunks.get() > 2 {
            return Err(ordinary::error("model.test", "the logits are not numbers"));
        }
        Ok(Some(Chunk {
            text: "word ".to_owned(),
            finish: None,
        }))
    }
}
