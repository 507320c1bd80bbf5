//! `embed` calls itself until the call stack is used up.
//!
//! The frames hold nothing in linear memory, so it is WebAssembly's own stack that runs out; see
//! `overflows_shadow_stack` for the other one.
//!
//! Promise: recursion ends inside the sandbox. Expected: `limit.stack`.

use std::hint::black_box;

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let depth = descend(0, black_box(u64::MAX));
    Ok(ordinary::embeddings(&texts, &[depth as f32]))
}

/// The end is not known to the compiler, and what follows the call depends on it, so that it can
/// make neither a loop nor nothing of this.
#[inline(never)]
fn descend(depth: u64, end: u64) -> u64 {
    if depth == end {
        return depth;
    }
    descend(depth + 1, end).rotate_left(5) ^ depth
}
