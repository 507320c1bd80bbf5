//! Linear algebra for Ampoule guests: what transformers and small convolutional networks need, in f32,
//! on one thread.
//!
//! | function | what it does |
//! | --- | --- |
//! | [`linear`] | `y = x·wᵀ + b`, with `w` packed once into a [`PackedMatrix`] |
//! | [`conv2d`] | a convolution of 3×3 pixels, as such a product |
//! | [`gelu`] | the Gaussian error linear unit, by erf |
//! | [`softmax`] | rows that sum to one |
//! | [`layer_norm`] | rows of mean 0 and variance 1, then scaled and shifted |
//! | [`relu`] | what is above 0, and 0 for the rest |
//! | [`add`], [`add_scaled`], [`dot`] | of two rows |
//!
//! Matrices are row-major. Wrong shapes panic, as an index out of range would: they are bugs of the
//! caller, not of its input.
//!
//! On `wasm32` the code uses SIMD128, and the crate does not build without it. On other targets the
//! same algorithms run on plain arrays, so that tests and fuzzers there exercise the same structure.
//! `unsafe` is in `simd/wasm32.rs` alone.

mod conv;
mod elementwise;
mod gelu;
mod gemm;
mod layer_norm;
mod matrix;
mod pack;
mod simd;
mod softmax;
mod tile;

pub use conv::{ConvScratch, PlaneShape, conv2d};
pub use elementwise::{add, add_scaled, dot, relu};
pub use gelu::gelu;
pub use gemm::{Scratch, linear};
pub use layer_norm::layer_norm;
pub use matrix::{MatrixMut, MatrixRef};
pub use pack::PackedMatrix;
pub use softmax::softmax;
