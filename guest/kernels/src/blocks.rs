//! Plain numbers in the order in which the inner loops read them. Packing writes them, [`simd`](crate::simd) reads
//! them, and nothing here computes with vectors.

pub(crate) mod half;
pub(crate) mod int4;
pub(crate) mod int8;
pub(crate) mod strip;
pub(crate) mod tile;

/// Numbers in a vector.
pub(crate) const LANES: usize = 4;
