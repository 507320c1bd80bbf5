//! Four f32 numbers at once, and the inner loops: what the algorithms need of an architecture.

#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(target_arch = "wasm32")]
mod wasm32;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use portable::Portable as Native;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm32::Simd128 as Native;

use crate::half_panels::HalfStep;
use crate::int4::{Int4Block, Int4Input};
use crate::int8::{BLOCK_INPUTS, Int8ColumnBlock, Int8RowBlock};
use crate::strip::{SpreadNumber, Strip};
use crate::tile::{ColumnStep, RowStep, TILE_ROWS, TileRows, Tiles};

/// How many numbers a vector holds.
pub(crate) const LANES: usize = 4;

/// A vector of [`LANES`] numbers.
///
/// The functions are always inlined: under Cranelift a call that remains costs more than the
/// arithmetic in it.
pub(crate) trait Vector: Copy {
    /// `value` in every lane.
    fn splat(value: f32) -> Self;
    /// The lanes from memory.
    fn load(from: &[f32; LANES]) -> Self;
    /// The lanes to memory.
    fn store(self, to: &mut [f32; LANES]);
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self − other`.
    fn sub(self, other: Self) -> Self;
    /// `self · other`.
    fn mul(self, other: Self) -> Self;
    /// `self / other`.
    fn div(self, other: Self) -> Self;
    /// The smaller; either when one is not a number.
    fn min(self, other: Self) -> Self;
    /// The larger; either when one is not a number.
    fn max(self, other: Self) -> Self;
    /// The lowest nine bits, as the sign and the exponent of a number.
    fn exponent_of_low_bits(self) -> Self;

    /// Each lane in all lanes.
    fn spread(self) -> [Self; LANES];
    /// The first lanes of all, the second ones, and so on.
    fn transposed(rows: [Self; LANES]) -> [Self; LANES];

    /// `self · factor + addend`, rounded twice, or with relaxed SIMD perhaps once. That instruction is inlined only
    /// into functions that are compiled for it: those that come here must be, with what they pass on in closures
    /// of their own.
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        self.mul(factor).add(addend)
    }

    /// The lanes.
    #[inline(always)]
    fn lanes(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes
    }

    /// The sum of the lanes.
    #[inline(always)]
    fn sum(self) -> f32 {
        let lanes = self.lanes();
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self) -> f32 {
        let lanes = self.lanes();
        lanes[0].max(lanes[2]).max(lanes[1].max(lanes[3]))
    }
}

/// The inner loops, and the loops over much that is to be packed.
pub(crate) trait Kernels {
    /// `tile += a·b` for each tile, over all steps of `a`; see [`crate::tile`]. `b` holds as many steps as `a` for each
    /// tile, one tile after another.
    ///
    /// # Panics
    ///
    /// When `a` has more than [`STEPS`](crate::tile::STEPS), or `b` has fewer than all tiles need.
    fn accumulate(a: &[RowStep], b: &[ColumnStep], tiles: Tiles<'_>);

    /// `sums += x·b` for whole strips of panels, over all steps of `x`; see [`crate::strip`]. `b` holds as many steps as
    /// `x` for each panel, one panel after another.
    ///
    /// # Panics
    ///
    /// When the panels are no whole strips, or `b` has fewer steps.
    fn accumulate_strips(x: &[SpreadNumber], b: &[ColumnStep], sums: &mut [ColumnStep]);

    /// `tile += a·b` over the first `steps` steps of a block; see [`crate::int8`].
    fn accumulate_int8(steps: usize, a: &Int8RowBlock, b: &Int8ColumnBlock, tile: TileRows<'_>);

    /// `strip += x·b` over as many blocks as all have, whose scales are finite; see [`crate::int4`].
    fn accumulate_int4(x: &[Int4Input], panels: [&[Int4Block]; 4], strip: &mut Strip);

    /// Rounds a block of activations to bytes.
    fn round_block(rows: [&[f32; BLOCK_INPUTS]; TILE_ROWS], to: &mut Int8RowBlock);

    /// The largest magnitude. Infinite or no number, where there is one that is.
    fn largest_magnitude(row: &[f32]) -> f32;

    /// Widens f16 to f32, infinities and what is no number included.
    fn widen(from: &HalfStep, to: &mut ColumnStep);
}
