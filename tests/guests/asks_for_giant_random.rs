//! `embed` asks the random source for 1 GiB, or as many bytes as the first text says, in one call.
//!
//! Promise: the host makes no more randomness in one call than it has a limit for. Expected:
//! `guest.trap`, before the bytes are made.

use ampoule_test_guests::random::get_random_bytes;
use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let bytes = get_random_bytes(ordinary::amount(&texts, 1 << 30) as u64);
    Ok(ordinary::embeddings(&texts, &[bytes.len() as f32]))
}
