//! `init` takes memory without end.
//!
//! Promise: `init` has a memory limit of its own. Expected at load: `limit.memory`.

use std::hint::black_box;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!(init);
export_text_embedding!(embed);

fn init() -> Result<(), Error> {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![0xA5_u8; 1 << 20]));
    }
}

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    Ok(ordinary::embeddings(&texts, &[1.0]))
}
