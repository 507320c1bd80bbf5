//! The inner loops, as each architecture has them.

use crate::blocks::half::HalfStep;
use crate::blocks::int4::{Int4Block, Int4Input};
use crate::blocks::int8::{BLOCK_INPUTS, Int8ColumnBlock, Int8RowBlock};
use crate::blocks::strip::{SpreadNumber, Strip};
use crate::blocks::tile::{ColumnStep, RowStep, TILE_ROWS, TileRows, Tiles};

/// The inner loops, and the loops over much that is to be packed.
pub(crate) trait Kernels {
    /// `tile += a·b` for each tile, over all steps of `a`; see [`tile_loop`](super::tile_loop). `b` holds as many steps
    /// as `a` for each tile, one tile after another.
    ///
    /// # Panics
    ///
    /// When `a` has more than [`STEPS`](crate::blocks::tile::STEPS), or `b` has fewer than all tiles need.
    fn accumulate(a: &[RowStep], b: &[ColumnStep], tiles: Tiles<'_>);

    /// `sums += x·b` for whole strips of panels, over all steps of `x`; see [`strip_loop`](super::strip_loop). `b` holds
    /// as many steps as `x` for each panel, one panel after another.
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

    /// Returns the largest magnitude: infinite or NaN where a number is.
    fn largest_magnitude(row: &[f32]) -> f32;

    /// Widens f16 to f32, infinities and NaN included.
    fn widen(from: &HalfStep, to: &mut ColumnStep);
}
