//! The product of one row with weights of four bits.

use super::activations::Int4Inputs;
use super::panels::Int4Panels;
use crate::blocks::strip::{STRIP_PANELS, Strip};
use crate::blocks::tile::{ColumnStep, TILE_COLUMNS};
use crate::simd::{Kernels, Native};

/// Computes the row `x · weightsᵀ`, a panel at a time: `take` gets the panel's index and numbers.
pub(crate) fn row_product(
    x: &[f32],
    weights: &Int4Panels,
    inputs: &mut Int4Inputs,
    mut take: impl FnMut(usize, &ColumnStep),
) {
    inputs.pack(x);
    let panels = weights.outputs().div_ceil(TILE_COLUMNS);
    // Panels that are far apart, as many strips as there are: four streams, for which a processor looks ahead
    // better than for one, because it waits for memory where a page ends.
    let strips = panels.div_ceil(STRIP_PANELS);
    for first in 0..strips {
        let mut sums: Strip = [ColumnStep::ZERO; STRIP_PANELS];
        // The last strips may lack panels; they then take the last one, and what comes of that is left out.
        let strip = std::array::from_fn(|i| weights.panel((first + i * strips).min(panels - 1)));
        Native::accumulate_int4(inputs.blocks(), strip, &mut sums);
        for (panel, mut sums) in (first..panels).step_by(strips).zip(sums) {
            if !weights.is_finite(panel) {
                sums = ColumnStep::ZERO;
                for (x, block) in inputs.blocks().iter().zip(weights.panel(panel)) {
                    block.accumulate(x, &mut sums);
                }
            }
            take(panel, &sums);
        }
    }
}
