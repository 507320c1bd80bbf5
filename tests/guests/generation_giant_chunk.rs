//! `next` has one chunk of 64 MiB of text.
//!
//! Promise: the output limit holds for every chunk. Expected: `limit.output`.

use ampoule_test_guests::text_generation::{Chunk, GenerationRequest, GuestGeneration};
use ampoule_test_guests::{Error, export_lifecycle, export_text_generation};

export_lifecycle!();
export_text_generation!(generate => Giant);

/// The generation of one giant word.
pub struct Giant;

fn generate(_request: GenerationRequest) -> Result<Giant, Error> {
    Ok(Giant)
}

impl GuestGeneration for Giant {
    fn next(&self) -> Result<Option<Chunk>, Error> {
        Ok(Some(Chunk {
            text: "x".repeat(64 << 20),
            finish: None,
        }))
    }
}
