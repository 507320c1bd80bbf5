//! The heap as `init` leaves it to requests.

use std::hint::black_box;

/// The largest hole that is looked for in steps of its size, and what is asked of the end of memory.
const LARGEST: usize = 1 << 20;

/// The smallest piece that an allocator gives, or less.
const SMALLEST: usize = 8;

/// Takes, for ever, what is free between the objects that live.
///
/// Each sandbox begins with this memory, shared by all until one writes to it. A request that fills holes all over
/// it has each such page copied; and the host, which can put a few stretches of written pages back in order, gives
/// up on a hundred of them and maps all memory anew. What a request allocates now lies together, at the end.
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

/// Allocates so much, and keeps it if its address is wanted. The address of what was not is the error.
fn take(size: usize, is_wanted: impl FnOnce(usize) -> bool) -> Result<(), usize> {
    let piece = black_box(Vec::<u8>::with_capacity(size));
    let start = piece.as_ptr().addr();
    if !is_wanted(start) {
        return Err(start);
    }
    piece.leak();
    Ok(())
}
