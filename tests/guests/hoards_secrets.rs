//! `embed` grows its memory, looks in all of it for a mark, and then writes the mark wherever it can: into
//! the stack below itself, into a static, into the heap, and into the pages that it grew by. It answers
//! with how many marks it found before it wrote any, and with how many it found afterwards.
//!
//! The mark stands in the code as an operand and nowhere in memory until it is written, so that what is
//! found before is another request's.
//!
//! Promise: no sandbox finds anything of an earlier one that had its memory. Expected: `[0.0, many]`.

// Memory has no beginning and no end on other machines.
#![cfg(target_family = "wasm")]

use std::sync::atomic::{AtomicU64, Ordering};

use ampoule_test_guests::{Embeddings, Error, export_lifecycle, export_text_embedding, ordinary};

export_lifecycle!();
export_text_embedding!(embed);

const MARK: u64 = 0x5EC2_E77E_D0C5_11A7;
const PAGE: usize = 65_536;
const GROWN_PAGES: usize = 8;
const HEAP_WORDS: usize = 32_768;
/// Bytes of the stack that the functions called from here need.
const RED_ZONE: usize = 16_384;

static STATIC: [AtomicU64; 1_024] = [const { AtomicU64::new(0) }; 1_024];

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let grown = core::arch::wasm32::memory_grow(0, GROWN_PAGES) * PAGE;
    let before = count();

    fill_stack();
    for word in &STATIC {
        word.store(MARK, Ordering::Relaxed);
    }
    let mut heap = vec![0_u64; HEAP_WORDS];
    fill(heap.as_mut_ptr().addr(), HEAP_WORDS * 8);
    fill(grown, GROWN_PAGES * PAGE);

    let after = count();
    drop(heap);
    Ok(ordinary::embeddings(&texts, &[before as f32, after as f32]))
}

/// Everything between the stack's end, which is where memory begins, and what is in use of it.
#[inline(never)]
fn fill_stack() {
    let here = 0_u64;
    let top = (&raw const here).addr();
    fill(8, top.saturating_sub(RED_ZONE + 8) & !7);
}

fn fill(start: usize, bytes: usize) {
    for address in (start..start + bytes).step_by(8) {
        // SAFETY: the callers name memory of this sandbox that nothing else uses: the stack below the
        // running functions, a buffer of their own, pages that were just grown. The write is volatile, so
        // the compiler makes no assumption of what is there.
        unsafe { std::ptr::write_volatile(address as *mut u64, MARK) }
    }
}

/// Counts the words of memory that hold the mark.
#[inline(never)]
fn count() -> usize {
    let end = core::arch::wasm32::memory_size(0) * PAGE;
    // From 8 on, because address 0 is not for reading in Rust.
    (8..end)
        .step_by(8)
        .filter(|address| {
            // SAFETY: every address below the size of linear memory can be read, and nothing else runs in
            // this sandbox that could write at the same time. The read is volatile, as the write is.
            unsafe { std::ptr::read_volatile(*address as *const u64) == MARK }
        })
        .count()
}
