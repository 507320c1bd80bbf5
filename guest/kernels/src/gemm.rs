//! The matrix product.
//!
//! Blocks as in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), for one
//! thread, with the roles turned round: a group of four rows of activations, which is packed four times
//! over, stays in the first-level cache, while the panels of a block of weights, which stays in the
//! second-level cache, pass by it.

use std::ops::Range;

use crate::epilogue::{Activation, Epilogue};
use crate::half_panels::HalfPanels;
use crate::int4::{self, Int4Inputs, Int4Panels};
use crate::int8::{self, Int8Rows};
use crate::matrix::{MatrixMut, MatrixRef};
use crate::packed_matrix::{PackedMatrix, Weights};
use crate::packed_rows::{PackedRows, SpreadRow};
use crate::panels::Panels;
use crate::simd::{Kernels, Native};
use crate::strip::{STRIP_PANELS, Strip};
use crate::tile::{ColumnStep, STEPS, TILE_COLUMNS, TILE_ROWS, Tile, window};

/// Rows of activations in a block: packed, with [`BLOCK_INPUTS`], 768 KiB of scratch memory.
const BLOCK_ROWS: usize = 128;

/// Inputs in a block: a group of rows of that many is 24 KiB, which a first-level cache of 32 KiB holds.
const BLOCK_INPUTS: usize = 384;

/// Panels in a block: with [`BLOCK_INPUTS`] 384 KiB, which a second-level cache holds.
const BLOCK_PANELS: usize = 32;

/// Memory that [`linear`] works in, to be used again.
#[derive(Debug, Default)]
pub struct Scratch {
    rows: PackedRows,
    row: SpreadRow,
    int8_rows: Int8Rows,
    int4_inputs: Int4Inputs,
    /// A block of panels, widened.
    widened: Vec<ColumnStep>,
}

/// `y[m, n] = epilogue(bias[n] + Σ x[m, k] · weights[n, k])` over all `k`: a linear layer.
///
/// Shapes: `x` `[m, inputs]`, `weights` `[outputs, inputs]`, `bias` `[outputs]` (zero when there is
/// none), `y` `[m, outputs]`. With weights in f32 or f16 each sum is taken in the order of `k`, in f32,
/// and infinities and what is no number go the way of IEEE 754. With rounded activations, a row in which
/// there is one (of int4: a block of a row) gives no number anywhere.
///
/// # Panics
///
/// When the shapes do not fit.
pub fn linear(
    x: MatrixRef<'_>,
    weights: &PackedMatrix,
    bias: Option<&[f32]>,
    epilogue: Epilogue,
    y: &mut MatrixMut<'_>,
    scratch: &mut Scratch,
) {
    check_shapes(&x, [weights.outputs(), weights.inputs()], bias, y);
    match &weights.0 {
        Weights::F32(panels) => any_rows(x, panels, bias, epilogue, y, scratch),
        Weights::F16(panels) => any_rows(x, panels, bias, epilogue, y, scratch),
        Weights::Int8(panels) => {
            int8::product(x, panels, bias, epilogue, y, &mut scratch.int8_rows);
        }
        Weights::Int4(panels) if x.rows() == 1 => {
            int4::row_product(x.row(0), panels, &mut scratch.int4_inputs, |panel, sums| {
                store_row(panel, sums, bias, epilogue, y);
            });
        }
        Weights::Int4(panels) => product(x, panels, bias, epilogue, y, scratch),
    }
}

fn check_shapes(
    x: &MatrixRef<'_>,
    [outputs, inputs]: [usize; 2],
    bias: Option<&[f32]>,
    y: &MatrixMut<'_>,
) {
    assert_eq!(x.columns(), inputs, "columns of x and inputs");
    assert_eq!(y.columns(), outputs, "columns of y and outputs");
    assert_eq!(x.rows(), y.rows(), "rows of x and of y");
    if let Some(bias) = bias {
        assert_eq!(bias.len(), outputs, "biases and outputs");
    }
}

/// Weights that the inner loop can read, or that can be made such.
trait PanelSource {
    fn outputs(&self) -> usize;
    fn inputs(&self) -> usize;

    /// Makes the panels and inputs of a block readable. What is in the way of [`Panels`] already needs
    /// nothing.
    fn prepare(&self, panels: Range<usize>, inputs: Range<usize>, to: &mut Vec<ColumnStep>);

    /// [`STEPS`] steps of a panel from an input on, both counted from the beginning of the block.
    fn steps<'a>(
        &'a self,
        widened: &'a [ColumnStep],
        block: &Block,
        panel: usize,
        input: usize,
    ) -> &'a [ColumnStep; STEPS];
}

/// Where a block of weights begins, and how many inputs it has.
struct Block {
    panel: usize,
    input: usize,
    inputs: usize,
}

impl PanelSource for Panels {
    fn outputs(&self) -> usize {
        self.outputs()
    }

    fn inputs(&self) -> usize {
        self.inputs()
    }

    fn prepare(&self, _: Range<usize>, _: Range<usize>, _: &mut Vec<ColumnStep>) {}

    #[inline(always)]
    fn steps<'a>(
        &'a self,
        _: &'a [ColumnStep],
        block: &Block,
        panel: usize,
        input: usize,
    ) -> &'a [ColumnStep; STEPS] {
        self.steps(block.panel + panel, block.input + input)
    }
}

macro_rules! widened_source {
    ($panels:ty) => {
        impl PanelSource for $panels {
            fn outputs(&self) -> usize {
                self.outputs()
            }

            fn inputs(&self) -> usize {
                self.inputs()
            }

            fn prepare(
                &self,
                panels: Range<usize>,
                inputs: Range<usize>,
                to: &mut Vec<ColumnStep>,
            ) {
                to.resize(panels.len() * inputs.len() + STEPS - 1, ColumnStep::ZERO);
                for (panel, i) in panels.zip(0..) {
                    let steps = &mut to[i * inputs.len()..][..inputs.len()];
                    self.widen(panel, inputs.start, steps);
                }
            }

            #[inline(always)]
            fn steps<'a>(
                &'a self,
                widened: &'a [ColumnStep],
                block: &Block,
                panel: usize,
                input: usize,
            ) -> &'a [ColumnStep; STEPS] {
                window(widened, panel * block.inputs + input)
            }
        }
    };
}

widened_source!(HalfPanels);
widened_source!(Int4Panels);

fn any_rows<W: PanelSource>(
    x: MatrixRef<'_>,
    weights: &W,
    bias: Option<&[f32]>,
    epilogue: Epilogue,
    y: &mut MatrixMut<'_>,
    scratch: &mut Scratch,
) {
    if x.rows() == 1 {
        row_product(x.row(0), weights, bias, epilogue, y, scratch);
    } else {
        product(x, weights, bias, epilogue, y, scratch);
    }
}

fn product<W: PanelSource>(
    x: MatrixRef<'_>,
    weights: &W,
    bias: Option<&[f32]>,
    epilogue: Epilogue,
    y: &mut MatrixMut<'_>,
    scratch: &mut Scratch,
) {
    let inputs = weights.inputs();
    let panels = weights.outputs().div_ceil(TILE_COLUMNS);
    for first_row in (0..x.rows()).step_by(BLOCK_ROWS) {
        let rows = first_row..x.rows().min(first_row + BLOCK_ROWS);
        // At least one block, so that a matrix without inputs gives the bias.
        for input in (0..inputs.max(1)).step_by(BLOCK_INPUTS) {
            let columns = input..inputs.min(input + BLOCK_INPUTS);
            scratch.rows.pack(x, rows.clone(), columns.clone());
            let is_last = columns.end == inputs;
            for panel in (0..panels).step_by(BLOCK_PANELS) {
                let block = Block {
                    panel,
                    input,
                    inputs: columns.len(),
                };
                let count = BLOCK_PANELS.min(panels - panel);
                weights.prepare(panel..panel + count, columns.clone(), &mut scratch.widened);
                for group in 0..rows.len().div_ceil(TILE_ROWS) {
                    for panel in 0..count {
                        let place = Place {
                            row: rows.start + group * TILE_ROWS,
                            column: (block.panel + panel) * TILE_COLUMNS,
                        };
                        let mut tile = if input == 0 {
                            place.start(bias, epilogue, y)
                        } else {
                            place.load(y)
                        };
                        for step in (0..columns.len()).step_by(STEPS) {
                            Native::accumulate(
                                STEPS.min(columns.len() - step),
                                scratch.rows.steps(group, step),
                                weights.steps(&scratch.widened, &block, panel, step),
                                &mut tile,
                            );
                        }
                        if is_last {
                            place.finish(tile, epilogue, y);
                        } else {
                            place.store(&tile, y);
                        }
                    }
                }
            }
        }
    }
}

/// The product with one row, which is as fast as memory is.
fn row_product<W: PanelSource>(
    x: &[f32],
    weights: &W,
    bias: Option<&[f32]>,
    epilogue: Epilogue,
    y: &mut MatrixMut<'_>,
    scratch: &mut Scratch,
) {
    scratch.row.pack(x);
    let panels = weights.outputs().div_ceil(TILE_COLUMNS);
    for panel in (0..panels).step_by(STRIP_PANELS) {
        let count = STRIP_PANELS.min(panels - panel);
        let mut sums: Strip = [ColumnStep::ZERO; STRIP_PANELS];
        for input in (0..x.len()).step_by(BLOCK_INPUTS) {
            let columns = input..x.len().min(input + BLOCK_INPUTS);
            let block = Block {
                panel,
                input,
                inputs: columns.len(),
            };
            weights.prepare(panel..panel + count, columns.clone(), &mut scratch.widened);
            for step in (0..columns.len()).step_by(STEPS) {
                // The last strip may lack panels; it then takes its last one again, and what comes of
                // that is left out.
                let panels: [_; STRIP_PANELS] = std::array::from_fn(|i| {
                    weights.steps(&scratch.widened, &block, i.min(count - 1), step)
                });
                Native::accumulate_strip(
                    STEPS.min(columns.len() - step),
                    scratch.row.steps(input + step),
                    panels,
                    &mut sums,
                );
            }
        }
        for (i, &sums) in sums.iter().enumerate().take(count) {
            store_row(panel + i, sums, bias, epilogue, y);
        }
    }
}

/// Stores one row's numbers of a panel.
fn store_row(
    panel: usize,
    sums: ColumnStep,
    bias: Option<&[f32]>,
    epilogue: Epilogue,
    y: &mut MatrixMut<'_>,
) {
    let place = Place {
        row: 0,
        column: panel * TILE_COLUMNS,
    };
    let mut tile = place.start(bias, epilogue, y);
    let numbers = tile[0].0.as_flattened_mut().iter_mut();
    for (y, sum) in numbers.zip(sums.0.as_flattened()) {
        *y += sum;
    }
    place.finish(tile, epilogue, y);
}

/// Where in the product a tile's first element is. The tile may reach over the product's edges.
pub(crate) struct Place {
    pub(crate) row: usize,
    pub(crate) column: usize,
}

impl Place {
    /// What a sum begins with: the biases, and what is to be added to.
    #[inline(always)]
    pub(crate) fn start(
        &self,
        bias: Option<&[f32]>,
        epilogue: Epilogue,
        y: &mut MatrixMut<'_>,
    ) -> Tile {
        let mut row = ColumnStep::ZERO;
        if let Some(bias) = bias {
            fit(row.0.as_flattened_mut(), &bias[self.column..]);
        }
        if epilogue != Epilogue::Add {
            return [row; TILE_ROWS];
        }
        let mut tile = self.load(y);
        for sums in &mut tile {
            let numbers = sums.0.as_flattened_mut().iter_mut();
            for (sum, bias) in numbers.zip(row.0.as_flattened()) {
                *sum += bias;
            }
        }
        tile
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

    /// Stores the whole sums.
    #[inline(always)]
    pub(crate) fn finish(&self, mut tile: Tile, epilogue: Epilogue, y: &mut MatrixMut<'_>) {
        if let Epilogue::Store(activation) = epilogue
            && activation != Activation::Identity
        {
            activation.apply(&mut tile);
        }
        self.store(&tile, y);
    }

    /// Stores the sums so far.
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
