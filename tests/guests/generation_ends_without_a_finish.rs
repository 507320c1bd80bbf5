//! `next` has one word, then nothing more, and never says how the generation ended.
//!
//! Promise: nobody takes an answer that broke off for a whole one. Expected: one chunk, then
//! `guest.answer`.

use std::cell::Cell;

use ampoule_test_guests::text_generation::{Chunk, GenerationRequest, GuestGeneration};
use ampoule_test_guests::{Error, export_lifecycle, export_text_generation};

export_lifecycle!();
export_text_generation!(generate => Ends);

/// The generation that just ends.
pub struct Ends {
    is_over: Cell<bool>,
}

fn generate(_request: GenerationRequest) -> Result<Ends, Error> {
    Ok(Ends {
        is_over: Cell::new(false),
    })
}

impl GuestGeneration for Ends {
    fn next(&self) -> Result<Option<Chunk>, Error> {
        let chunk = Chunk {
            text: "word ".to_owned(),
            finish: None,
        };
        Ok((!self.is_over.replace(true)).then_some(chunk))
    }
}
