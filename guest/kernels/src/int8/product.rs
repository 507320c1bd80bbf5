//! The product of rounded activations with rounded weights.

use super::activations::Int8Rows;
use super::panels::Int8Panels;
use crate::blocks::int8::{BLOCK_INPUTS, BLOCK_STEPS, DEPTH};
use crate::blocks::tile::{self, TILE_COLUMNS, TILE_ROWS};
use crate::matrix::MatrixRef;
use crate::output::{Output, Pass};
use crate::simd::{Kernels, Native};

/// Rows of activations in a block: with 1536 inputs 864 KiB of scratch memory. A group of them is 27 KiB, which a
/// first-level cache of 32 KiB holds.
const BLOCK_ROWS: usize = 128;

/// Panels in a block: with 1536 inputs 408 KiB, which a second-level cache holds. They pass by a group of rows, which
/// is the larger piece.
const BLOCK_PANELS: usize = 32;

/// Writes `x · weightsᵀ` to the output; the shapes have been checked.
pub(crate) fn product(
    x: MatrixRef<'_>,
    weights: &Int8Panels,
    output: &mut Output<'_, '_>,
    rows_of_x: &mut Int8Rows,
) {
    let depth = weights.depth();
    let panels = weights.outputs().div_ceil(TILE_COLUMNS);
    // Steps in the last block of a row.
    let last_steps = (weights.inputs() - depth.saturating_sub(1) * BLOCK_INPUTS).div_ceil(DEPTH);
    for first_row in (0..x.rows()).step_by(BLOCK_ROWS) {
        let rows = first_row..x.rows().min(first_row + BLOCK_ROWS);
        rows_of_x.pack(x, rows.clone());
        for first_panel in (0..panels).step_by(BLOCK_PANELS) {
            let block = first_panel..panels.min(first_panel + BLOCK_PANELS);
            for (row, group) in rows.clone().step_by(TILE_ROWS).zip(0..) {
                let group = rows_of_x.group(group, depth);
                output.each_tile(row, block.clone(), Pass::WHOLE, |panels, tiles| {
                    for (panel, mut tile) in panels.zip(tile::each(tiles)) {
                        for (i, (a, b)) in group.iter().zip(weights.panel(panel)).enumerate() {
                            let steps = if i + 1 == depth {
                                last_steps
                            } else {
                                BLOCK_STEPS
                            };
                            let tile = tile.each_mut().map(|row| &mut **row);
                            Native::accumulate_int8(steps, a, b, tile);
                        }
                    }
                });
            }
        }
    }
}
