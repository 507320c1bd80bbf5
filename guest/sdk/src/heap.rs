//! The heap as `init` leaves it to requests.

use std::hint::black_box;

/// Size of the largest holes that are searched for, and of the block that finds the end of the used heap.
const LARGEST: usize = 1 << 20;

/// The smallest piece that an allocator gives, or less.
const SMALLEST: usize = 8;

/// Leaks every free block below the heap's top, so that a request's allocations lie together at the end.
///
/// Each sandbox begins with this memory, and all share a page until one writes to it. A request that fills holes all
/// over the memory has each such page copied. The host can put a few stretches of written pages back in order; with a
/// hundred of them it gives up and maps all memory anew.
pub(crate) fn fill_holes() {
    let end = core::arch::wasm32::memory_size::<0>() * PAGE;
    let fresh = loop {
        let start = take(LARGEST, |start| start + LARGEST < end);
        if let Err(start) = start {
            break start;
        }
    };
    let mut size = LARGEST;
    while size >= SMALLEST {
        while take(size, |start| start < fresh).is_ok() {}
        size /= 2;
    }
}

/// Bytes of WebAssembly's pages.
const PAGE: usize = 1 << 16;

/// Allocates `size` bytes, and leaks them if `is_wanted` says so of their address. Otherwise the address is the
/// error.
fn take(size: usize, is_wanted: impl FnOnce(usize) -> bool) -> Result<(), usize> {
    let piece = black_box(Vec::<u8>::with_capacity(size));
    let start = piece.as_ptr().addr();
    if !is_wanted(start) {
        return Err(start);
    }
    piece.leak();
    Ok(())
}
