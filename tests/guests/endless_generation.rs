//! `next` always has another word, and never says that it is done.
//!
//! Promise: a generation ends, whatever the guest does. Expected: `limit.output`, after the chunks
//! that the limit allows.

use ampoule_test_guests::text_generation::{Chunk, GenerationRequest, GuestGeneration};
use ampoule_test_guests::{Error, export_lifecycle, export_text_generation};

export_lifecycle!();
export_text_generation!(generate => Endless);

/// The generation without an end.
pub struct Endless;

fn generate(_request: GenerationRequest) -> Result<Endless, Error> {
    Ok(Endless)
}

impl GuestGeneration for Endless {
    fn next(&self) -> Result<Option<Chunk>, Error> {
        Ok(Some(Chunk {
            text: "and ".to_owned(),
            finish: None,
        }))
    }
}
