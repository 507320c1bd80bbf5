//! Weights of four bits in blocks of 32 inputs, for decoders: what they wait for is memory.
//!
//! A block has a scale of its own, in f16. The format, a signed extreme that becomes −8 so that all
//! sixteen values are used, is that of llama.cpp's `Q4_0`; the order in memory is ours. One row of
//! activations is rounded to bytes in the same blocks, so that a block's share of a sum is in whole
//! numbers; for several rows, weights are widened to f32 instead, once for all of them.

mod activations;
mod panels;
mod row_product;

pub(crate) use activations::{Int4Input, Int4Inputs};
pub(crate) use panels::{Int4Block, Int4Panels};
pub(crate) use row_product::row_product;

/// Inputs that share a scale.
pub(crate) const BLOCK_INPUTS: usize = 32;

/// Half of them: those in the low halves of bytes, and those in the high halves.
pub(crate) const HALF_BLOCK: usize = BLOCK_INPUTS / 2;

/// What is added to a weight, so that it has no sign.
pub(crate) const WEIGHT_OFFSET: i32 = 8;

/// Blocks of inputs that one call of the inner loop does at most.
pub(crate) const BLOCKS: usize = 8;

/// The sums of a panel's outputs, in two fours, four parts of each.
pub(crate) type Int4Sums = [[[f32; 4]; 4]; 2];
