//! Linear algebra of transformers and small convolutional networks for Ampoule guests, in f32, on one thread.
//!
//! | function | result |
//! | --- | --- |
//! | [`linear`] | `y = x·wᵀ + b`, with `w` packed once into a [`PackedMatrix`]: in f32, f16, int8 or 4 bits |
//! | [`attention`] | of several heads, all to all or causal |
//! | [`conv2d`] | a convolution of 3×3 pixels, as such a product |
//! | [`gelu`], [`silu`], [`relu`] | activations; [`linear`] applies them as it stores |
//! | [`softmax`] | rows that sum to one |
//! | [`depthwise_conv2d`] | a convolution of each channel by itself; a pointwise one is a [`linear`] over pixels |
//! | [`layer_norm`], [`rms_norm`] | rows of mean 0 and variance 1, then scaled and shifted; or of mean square 1 |
//! | [`RotaryTable`] | positions, by turning pairs of numbers |
//! | [`add`], [`add_scaled`], [`dot`] | of two rows |
//!
//! Matrices are row-major. Wrong shapes panic, as an index out of range would: they are bugs of the
//! caller, not of its input.
//!
//! On `wasm32` the code uses SIMD128, and the crate does not build without it. On other targets the
//! same algorithms run on plain arrays, so that tests and fuzzers there exercise the same structure.
//! `unsafe` is in `simd/wasm32` alone.

mod attention;
mod block_panels;
mod blocks;
mod conv;
mod depthwise;
mod elementwise;
mod epilogue;
mod gelu;
mod gemm;
mod half_panels;
mod int4;
mod int8;
mod layer_norm;
mod matrix;
mod output;
mod packed_matrix;
mod packed_rows;
mod panel_order;
mod panels;
mod rms_norm;
mod rotary;
mod rows;
mod silu;
mod simd;
mod softmax;

pub use attention::{AttentionInputs, AttentionScratch, Visibility, attention};
pub use conv::{ConvScratch, Convolution, PlaneShape, conv2d};
pub use depthwise::{DepthwiseConvolution, depthwise_conv2d};
pub use elementwise::{add, add_scaled, dot, relu};
pub use epilogue::{Activation, Epilogue};
pub use gelu::gelu;
pub use gemm::{Scratch, linear};
pub use layer_norm::layer_norm;
pub use matrix::{MatrixMut, MatrixRef};
pub use packed_matrix::{MatrixPacker, PackedMatrix, Precision};
pub use rms_norm::rms_norm;
pub use rotary::RotaryTable;
pub use silu::silu;
pub use softmax::softmax;
