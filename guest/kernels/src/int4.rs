//! Weights of four bits in blocks of 32 inputs, for decoders, which wait for memory.
//!
//! A block has a scale of its own, in f16. The format, a signed extreme that becomes −8 so that all
//! sixteen values are used, is that of llama.cpp's `Q4_0`; the order in memory is ours. One row of
//! activations is rounded to bytes in the same blocks, so that a block's share of a sum is in whole
//! numbers; for several rows, weights are widened to f32 instead, once for all of them.
//!
//! One vector has four inputs of four outputs, and another four in its high halves of bytes. The work of a block that
//! is not per input (the scale, and the conversion to f32) is done for four outputs at once, and nothing is summed
//! across lanes. A matrix of 4096 × 4096 took 1.06 ms with an output in a vector and takes 0.55 from the cache; from
//! memory 1.08 and 0.65. Of the difference 0.10 come from taking four panels together that are far apart.

mod activations;
mod panels;
mod row_product;

pub(crate) use activations::Int4Inputs;
pub(crate) use panels::Int4Panels;
pub(crate) use row_product::row_product;
