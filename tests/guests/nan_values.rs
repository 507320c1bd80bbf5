//! `embed` answers with NaN and both infinities: of the right shape, but no JSON can carry them.
//!
//! Promise: a caller gets numbers, or an error. Expected: `guest.answer`.

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let row = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
    Ok(ordinary::embeddings(&texts, &row))
}
