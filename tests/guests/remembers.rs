//! `embed` keeps every text for the next request, and answers with the number of requests that this
//! sandbox has served, this one included, and with how often the first text, **read backwards**,
//! stands anywhere in the guest's memory.
//!
//! A test sends a secret in one request and its reverse in the next: backwards, so that the guest
//! does not find the question itself.
//!
//! Promise: no request sees anything of another. Expected: an answer of `[1.0, 0.0]`.

// Memory has no beginning and no end on other machines.
#![cfg(target_family = "wasm")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

static SERVED: AtomicU32 = AtomicU32::new(0);
static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
    let found = texts
        .first()
        .map_or(0, |text| find_reversed(text.as_bytes()));
    let answer = ordinary::embeddings(&texts, &[served as f32, found as f32]);
    if let Ok(mut kept) = KEPT.lock() {
        kept.extend(texts);
    }
    Ok(answer)
}

/// Counts the addresses that hold the bytes of `needle` in reverse.
fn find_reversed(needle: &[u8]) -> usize {
    let end = core::arch::wasm32::memory_size(0) * 65_536;
    let last = end.saturating_sub(needle.len());
    // From 8 on, because address 0 is not for reading in Rust.
    (8..last)
        .filter(|start| {
            needle.iter().rev().enumerate().all(|(offset, byte)| {
                // SAFETY: every address below the size of linear memory can be read, and nothing
                // else runs in this sandbox that could write at the same time. The read is volatile,
                // so the compiler makes no assumption of what it finds there.
                unsafe { std::ptr::read_volatile((start + offset) as *const u8) == *byte }
            })
        })
        .count()
}
