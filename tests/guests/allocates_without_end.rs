//! `embed` takes memory, a mebibyte at a time, and writes to all of it.
//!
//! Promise: a sandbox never has more memory than it may. Expected: `limit.memory`.

use std::hint::black_box;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(_texts: Vec<String>) -> Result<Embeddings, Error> {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![0xA5_u8; 1 << 20]));
    }
}
