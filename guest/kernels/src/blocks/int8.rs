//! Weights and activations in bytes, in the order in which the inner loop reads them.

use super::tile::{ColumnStep, TILE_ROWS};

/// Inputs in a step: as many as one instruction adds up into a lane.
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
pub(crate) const DEPTH: usize = 4;
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(crate) const DEPTH: usize = 2;

/// Inputs that share a scale.
pub(crate) const BLOCK_INPUTS: usize = 64;

/// Steps in a block.
pub(crate) const BLOCK_STEPS: usize = BLOCK_INPUTS / DEPTH;

/// Type of an activation. Without relaxed SIMD the only multiplication is that of 16 bits.
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
pub(crate) type Activation8 = i8;
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(crate) type Activation8 = i16;

/// Number added to a weight, so that it has no sign.
pub(crate) const WEIGHT_OFFSET: i32 = 64;

/// The largest weight.
pub(crate) const MOST_WEIGHT: f32 = 63.0;

/// The largest activation.
pub(crate) const MOST_ACTIVATION: f32 = 127.0;

/// The least magnitude that counts. A block whose largest is below it counts as zeros: the factor would soon be
/// infinite.
pub(crate) const LEAST_MAGNITUDE: f32 = 1e-36;

/// Returns the scale of numbers whose largest magnitude is `largest`, and the factor that makes that magnitude `most`.
/// The scale of an infinity or NaN is NaN, and so is each number computed with it.
#[inline]
pub(crate) fn scale_of(largest: f32, most: f32) -> (f32, f32) {
    if !largest.is_finite() {
        (f32::NAN, 0.0)
    } else if largest < LEAST_MAGNITUDE {
        (0.0, 0.0)
    } else {
        (largest / most, most / largest)
    }
}

/// One step's share: [`DEPTH`] inputs of [`TILE_ROWS`] rows, those of a row in every lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Int8RowStep(pub(crate) [[[Activation8; DEPTH]; 4]; TILE_ROWS]);

/// [`BLOCK_INPUTS`] inputs of [`TILE_ROWS`] rows.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Int8RowBlock {
    pub(crate) steps: [Int8RowStep; BLOCK_STEPS],
    /// Each row's scale, in every lane.
    pub(crate) scales: [[f32; 4]; TILE_ROWS],
    /// First summand of each row, in every lane: it makes up for [`WEIGHT_OFFSET`], which weights have added.
    pub(crate) corrections: [[i32; 4]; TILE_ROWS],
}

impl Int8RowBlock {
    pub(crate) const ZERO: Int8RowBlock = Int8RowBlock {
        steps: [Int8RowStep([[[0; DEPTH]; 4]; TILE_ROWS]); BLOCK_STEPS],
        scales: [[0.0; 4]; TILE_ROWS],
        corrections: [[0; 4]; TILE_ROWS],
    };
}

/// One step's share: [`DEPTH`] inputs of [`TILE_COLUMNS`](super::tile::TILE_COLUMNS) outputs, each with
/// [`WEIGHT_OFFSET`] added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub(crate) struct Int8ColumnStep(pub(crate) [[[u8; DEPTH]; 4]; 2]);

/// [`BLOCK_INPUTS`] inputs of [`TILE_COLUMNS`](super::tile::TILE_COLUMNS) outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(32))]
pub(crate) struct Int8ColumnBlock {
    pub(crate) steps: [Int8ColumnStep; BLOCK_STEPS],
    /// Scale of each output.
    pub(crate) scales: ColumnStep,
}

impl Int8ColumnBlock {
    pub(crate) const ZERO: Int8ColumnBlock = Int8ColumnBlock {
        steps: [Int8ColumnStep([[[WEIGHT_OFFSET as u8; DEPTH]; 4]; 2]); BLOCK_STEPS],
        scales: ColumnStep::ZERO,
    };
}
