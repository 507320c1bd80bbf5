//! The product of rounded activations with rounded weights.

use super::activations::GroupFacts;
use super::{Int8Panels, Int8Rows, Int8Sums, Int8Tile, WEIGHT_OFFSET};
use crate::epilogue::Epilogue;
use crate::gemm::Place;
use crate::matrix::{MatrixMut, MatrixRef};
use crate::simd::{Kernels, Native};
use crate::tile::{ColumnStep, STEPS, TILE_COLUMNS, TILE_ROWS, Tile};

/// Rows of activations in a block: with 1536 inputs 768 KiB, which a second-level cache of one MiB holds beside the
/// panel that passes.
const BLOCK_ROWS: usize = 128;

/// `y = epilogue(x · weightsᵀ + bias)`; the shapes have been checked.
pub(crate) fn product(
    x: MatrixRef<'_>,
    weights: &Int8Panels,
    bias: Option<&[f32]>,
    epilogue: Epilogue,
    y: &mut MatrixMut<'_>,
    rows_of_x: &mut Int8Rows,
) {
    for first_row in (0..x.rows()).step_by(BLOCK_ROWS) {
        let rows = first_row..x.rows().min(first_row + BLOCK_ROWS);
        rows_of_x.pack(x, rows.clone());
        for panel in 0..weights.outputs().div_ceil(TILE_COLUMNS) {
            for group in 0..rows.len().div_ceil(TILE_ROWS) {
                let facts = rows_of_x.group(group);
                let mut sums: Int8Tile = facts
                    .sums
                    .map(|sum| Int8Sums([[sum.wrapping_mul(-WEIGHT_OFFSET); 4]; 2]));
                for step in (0..weights.depth()).step_by(STEPS) {
                    Native::accumulate_int8(
                        STEPS.min(weights.depth() - step),
                        rows_of_x.steps(group, step),
                        weights.steps(panel, step),
                        &mut sums,
                    );
                }
                let place = Place {
                    row: rows.start + group * TILE_ROWS,
                    column: panel * TILE_COLUMNS,
                };
                let mut tile = place.start(bias, epilogue, y);
                add_scaled_sums(&mut tile, &sums, facts, weights.scales(panel));
                place.finish(tile, epilogue, y);
            }
        }
    }
}

/// Adds what the sums stand for.
#[inline(always)]
fn add_scaled_sums(tile: &mut Tile, sums: &Int8Tile, facts: &GroupFacts, scales: &[f32]) {
    for ((tile, sums), &row_scale) in tile.iter_mut().zip(sums).zip(&facts.scales) {
        let tile: &mut ColumnStep = tile;
        let columns = tile.0.as_flattened_mut().iter_mut();
        for ((y, &sum), &scale) in columns.zip(sums.0.as_flattened()).zip(scales) {
            *y += sum as f32 * (scale * row_scale);
        }
    }
}
