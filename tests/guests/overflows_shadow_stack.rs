//! `embed` recurses with large frames in linear memory, where a guest's compiler keeps what does not
//! fit into WebAssembly's locals, and runs off the end of that stack.
//!
//! Promise: this is a crash of the guest like any other. Expected: `guest.trap`.

use std::hint::black_box;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let depth = descend(0);
    Ok(ordinary::embeddings(&texts, &[depth as f32]))
}

#[inline(never)]
fn descend(depth: u64) -> u64 {
    let mut frame = [depth; 8192];
    black_box(&mut frame);
    if black_box(depth) == u64::MAX {
        return depth;
    }
    descend(depth + 1) ^ frame[8191]
}
