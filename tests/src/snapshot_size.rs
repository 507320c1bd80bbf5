//! The bound on the memory that a well-kept `init` leaves behind.

/// Memory beside the packed weights, in bytes: for the program, a tokenizer, and the leftovers of parsers.
const BESIDE_THE_WEIGHTS: u64 = 8 << 20;

/// Returns the most bytes that a snapshot may have, for packed weights of this many bytes. A raw copy of the
/// weights, or a buffer that has grown, exceeds it.
#[must_use]
pub fn largest_snapshot(weights: u64) -> u64 {
    (weights + BESIDE_THE_WEIGHTS) * 115 / 100
}
