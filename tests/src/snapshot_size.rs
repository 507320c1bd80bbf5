//! How much memory a well-kept `init` may leave behind.

/// The bytes that weights take in their last form, and what parsers, a tokenizer and the program itself
/// leave beside them.
const BESIDE_THE_WEIGHTS: u64 = 8 << 20;

/// The most bytes that a snapshot may have of a model whose packed weights have this many: a raw copy of
/// them, or a buffer that has grown, would be more.
#[must_use]
pub fn largest_snapshot(weights: u64) -> u64 {
    (weights + BESIDE_THE_WEIGHTS) * 115 / 100
}
