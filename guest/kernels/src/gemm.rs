//! The matrix product.
//!
//! Blocks as in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008),
//! for one thread: a panel of weights stays in the first-level cache while all groups of rows of a
//! block of activations, which stays in the second-level cache, pass by it.

use crate::matrix::{MatrixMut, MatrixRef};
use crate::pack::{PackedMatrix, PackedRows};
use crate::simd::{Native, Vector};
use crate::tile::{ColumnStep, STEPS, TILE_COLUMNS, TILE_ROWS, Tile};

/// Rows of activations in a block. With [`BLOCK_INPUTS`] that is 192 KiB: a second-level cache
/// holds it beside the panel that passes.
const BLOCK_ROWS: usize = 128;

/// Inputs in a block: a panel of weights of that many is 12 KiB, which a first-level cache of 32 KiB
/// holds beside a group of rows (6 KiB).
const BLOCK_INPUTS: usize = 384;

/// Memory that [`linear`] works in, to be used again.
#[derive(Debug, Default)]
pub struct Scratch {
    rows: PackedRows,
}

/// `y[m, n] = bias[n] + Σ x[m, k] · weights[n, k]` over all `k`: a linear layer.
///
/// Shapes: `x` `[m, inputs]`, `weights` `[outputs, inputs]`, `bias` `[outputs]` (zero when there is
/// none), `y` `[m, outputs]`. Each sum is taken in the order of `k`, in f32.
///
/// # Panics
///
/// When the shapes do not fit.
pub fn linear(
    x: MatrixRef<'_>,
    weights: &PackedMatrix,
    bias: Option<&[f32]>,
    y: &mut MatrixMut<'_>,
    scratch: &mut Scratch,
) {
    let (inputs, outputs) = (weights.inputs(), weights.outputs());
    assert_eq!(x.columns(), inputs, "columns of x and inputs");
    assert_eq!(y.columns(), outputs, "columns of y and outputs");
    assert_eq!(x.rows(), y.rows(), "rows of x and of y");
    if let Some(bias) = bias {
        assert_eq!(bias.len(), outputs, "biases and outputs");
    }
    for first_row in (0..x.rows()).step_by(BLOCK_ROWS) {
        let rows = first_row..x.rows().min(first_row + BLOCK_ROWS);
        // At least one block, so that a matrix without inputs gives the bias.
        for first_input in (0..inputs.max(1)).step_by(BLOCK_INPUTS) {
            let block = first_input..inputs.min(first_input + BLOCK_INPUTS);
            scratch.rows.pack(x, rows.clone(), block.clone());
            for panel in 0..outputs.div_ceil(TILE_COLUMNS) {
                for group in 0..rows.len().div_ceil(TILE_ROWS) {
                    let place = Place {
                        row: rows.start + group * TILE_ROWS,
                        column: panel * TILE_COLUMNS,
                    };
                    let mut tile = if first_input == 0 {
                        place.start(bias)
                    } else {
                        place.load(y)
                    };
                    for step in (0..block.len()).step_by(STEPS) {
                        Native::accumulate(
                            STEPS.min(block.len() - step),
                            scratch.rows.steps(group, step),
                            weights.steps(panel, first_input + step),
                            &mut tile,
                        );
                    }
                    place.store(&tile, y);
                }
            }
        }
    }
}

/// Where in the product a tile's first element is. The tile may reach over the product's edges.
struct Place {
    row: usize,
    column: usize,
}

impl Place {
    /// A tile of biases.
    #[inline(always)]
    fn start(&self, bias: Option<&[f32]>) -> Tile {
        let mut row = ColumnStep::ZERO;
        if let Some(bias) = bias {
            fit(row.0.as_flattened_mut(), &bias[self.column..]);
        }
        [row; TILE_ROWS]
    }

    /// The sums so far.
    #[inline(always)]
    fn load(&self, y: &mut MatrixMut<'_>) -> Tile {
        let mut tile = [ColumnStep::ZERO; TILE_ROWS];
        for (i, row) in tile.iter_mut().enumerate().take(y.rows() - self.row) {
            fit(
                row.0.as_flattened_mut(),
                &y.row_mut(self.row + i)[self.column..],
            );
        }
        tile
    }

    #[inline(always)]
    fn store(&self, tile: &Tile, y: &mut MatrixMut<'_>) {
        let rows = y.rows() - self.row;
        for (i, row) in tile.iter().enumerate().take(rows) {
            fit(
                &mut y.row_mut(self.row + i)[self.column..],
                row.0.as_flattened(),
            );
        }
    }
}

/// Copies as much as both hold.
#[inline(always)]
fn fit(to: &mut [f32], from: &[f32]) {
    if let (Some(to), Some(from)) = (
        to.first_chunk_mut::<TILE_COLUMNS>(),
        from.first_chunk::<TILE_COLUMNS>(),
    ) {
        // Eight at once: away from the edges a copy of a length known only at run time would be
        // a call.
        *to = *from;
        return;
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
