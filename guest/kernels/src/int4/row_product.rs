//! The product of one row with weights of four bits.

use super::{BLOCKS, Int4Inputs, Int4Panels, Int4Sums};
use crate::simd::{Kernels, Native};
use crate::tile::{ColumnStep, TILE_COLUMNS};

/// The row `x · weightsᵀ`, a panel at a time: `take` gets its index and its numbers.
pub(crate) fn row_product(
    x: &[f32],
    weights: &Int4Panels,
    inputs: &mut Int4Inputs,
    mut take: impl FnMut(usize, ColumnStep),
) {
    inputs.pack(x);
    for panel in 0..weights.outputs().div_ceil(TILE_COLUMNS) {
        let mut sums: Int4Sums = [[[0.0; 4]; 4]; 2];
        for block in (0..weights.depth()).step_by(BLOCKS) {
            Native::accumulate_int4(
                BLOCKS.min(weights.depth() - block),
                inputs.blocks(block),
                weights.blocks(panel, block),
                &mut sums,
            );
        }
        let mut row = ColumnStep::ZERO;
        for (y, parts) in row.0.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            *y = (parts[0] + parts[2]) + (parts[1] + parts[3]);
        }
        take(panel, row);
    }
}
