//! `embed` takes memory until it is denied, lets go of it, and answers with the mebibytes it got.
//!
//! Promise: a denial by itself fails no request; only what the guest then makes of it does.
//! Expected: an answer, below the limit that the sandbox runs under.

use std::hint::black_box;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let mut hoard = Vec::new();
    loop {
        let mut mebibyte: Vec<u8> = Vec::new();
        if mebibyte.try_reserve_exact(1 << 20).is_err() {
            break;
        }
        mebibyte.resize(1 << 20, 0xA5);
        hoard.push(black_box(mebibyte));
    }
    let mebibytes = hoard.len() as f32;
    drop(hoard);
    Ok(ordinary::embeddings(&texts, &[mebibytes]))
}
