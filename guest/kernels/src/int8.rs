//! Weights in a byte, and activations rounded to one: a product in whole numbers.
//!
//! With `w ≈ v·W` for each output and `x ≈ u·X` for each row, `Σ x·w ≈ u·v·Σ X·W`. The hardware's
//! instruction multiplies a signed byte with one of 7 bits without sign, so what is kept is `W + 64`, and
//! the sum begins with `−64·Σ X`. All of it is exact, so the answer is the same on every processor, with
//! and without relaxed SIMD.
//!
//! The method is that of Dettmers et al., "LLM.int8()" (2022), without outliers: absolute maxima of rows
//! on both sides.

mod activations;
mod panels;
mod product;

pub(crate) use activations::{Int8RowStep, Int8Rows};
pub(crate) use panels::{Int8ColumnStep, Int8Panels};
pub(crate) use product::product;

use crate::tile::TILE_ROWS;

/// Inputs in a step: as many as one instruction adds up into a lane.
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
pub(crate) const DEPTH: usize = 4;
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(crate) const DEPTH: usize = 2;

/// How an activation is kept: without relaxed SIMD there is a multiplication of 16 bits only.
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
pub(crate) type Activation8 = i8;
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(crate) type Activation8 = i16;

/// What is added to a weight, so that it has no sign.
pub(crate) const WEIGHT_OFFSET: i32 = 64;

/// The most inputs of a matrix: so that sums of 32 bits hold whatever comes.
pub const MAX_INT8_INPUTS: usize = 1 << 16;

/// The largest weight.
const MOST_WEIGHT: f32 = 63.0;

/// The largest activation.
pub(crate) const MOST_ACTIVATION: f32 = 127.0;

/// The sums of a row of a tile.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Int8Sums(pub(crate) [[i32; 4]; 2]);

/// A tile of the product in whole numbers.
pub(crate) type Int8Tile = [Int8Sums; TILE_ROWS];

/// The scale that makes the row's largest magnitude `most`, and what to multiply with for it. Where there
/// is something infinite, or no number, the scale is no number either, and so is all that comes of it.
pub(crate) fn scale_of(row: &[f32], most: f32) -> (f32, f32) {
    use crate::simd::{Kernels, Native};

    let largest = Native::largest_magnitude(row);
    if !largest.is_finite() {
        (f32::NAN, 0.0)
    } else if largest == 0.0 {
        (0.0, 0.0)
    } else {
        (largest / most, most / largest)
    }
}
