//! The matrix product.
//!
//! Blocks as in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), for one
//! thread, with the roles turned round: a group of four rows of activations, which is packed four times
//! over, stays in the first-level cache, while the panels of a block of weights, which stays in the
//! second-level cache, pass by it.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::half_panels::HalfPanels;
use crate::int4::{self, Int4Inputs, Int4Panels};
use crate::int8::{self, Int8Rows};
use crate::matrix::{MatrixMut, MatrixRef};
use crate::output::{Output, Pass};
use crate::packed_matrix::{PackedMatrix, Weights};
use crate::packed_rows::{PackedRows, SpreadRow};
use crate::panels::Panels;
use crate::simd::{Kernels, Native};
use crate::strip::{STRIP_PANELS, Strip};
use crate::tile::{ColumnStep, TILE_COLUMNS, TILE_ROWS};

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
    let mut output = Output { y, bias, epilogue };
    match &weights.0 {
        Weights::F32(panels) => any_rows(x, panels, &mut output, scratch),
        Weights::F16(panels) => any_rows(x, panels, &mut output, scratch),
        Weights::Int8(panels) => {
            int8::product(x, panels, &mut output, &mut scratch.int8_rows);
        }
        Weights::Int4(panels) if x.rows() == 1 => {
            output.each_panel(|add| {
                int4::row_product(x.row(0), panels, &mut scratch.int4_inputs, add);
            });
        }
        Weights::Int4(panels) => product(x, panels, &mut output, scratch),
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

    /// Makes a block readable. What is in the way of [`Panels`] already needs nothing.
    fn prepare(&self, block: &Block, to: &mut Vec<ColumnStep>);

    /// A panel of a block.
    fn steps<'a>(
        &'a self,
        widened: &'a [ColumnStep],
        block: &Block,
        panel: usize,
    ) -> &'a [ColumnStep];
}

/// A block of weights.
struct Block {
    panels: Range<usize>,
    inputs: Range<usize>,
}

impl PanelSource for Panels {
    fn outputs(&self) -> usize {
        self.outputs()
    }

    fn inputs(&self) -> usize {
        self.inputs()
    }

    fn prepare(&self, _: &Block, _: &mut Vec<ColumnStep>) {}

    #[inline(always)]
    fn steps<'a>(&'a self, _: &'a [ColumnStep], block: &Block, panel: usize) -> &'a [ColumnStep] {
        self.steps(panel, block.inputs.clone())
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

            fn prepare(&self, block: &Block, to: &mut Vec<ColumnStep>) {
                let inputs = block.inputs.len();
                to.resize(block.panels.len() * inputs, ColumnStep::ZERO);
                for (panel, i) in block.panels.clone().zip(0..) {
                    let steps = &mut to[i * inputs..][..inputs];
                    self.widen(panel, block.inputs.start, steps);
                }
            }

            #[inline(always)]
            fn steps<'a>(
                &'a self,
                widened: &'a [ColumnStep],
                block: &Block,
                panel: usize,
            ) -> &'a [ColumnStep] {
                let inputs = block.inputs.len();
                &widened[(panel - block.panels.start) * inputs..][..inputs]
            }
        }
    };
}

widened_source!(HalfPanels);
widened_source!(Int4Panels);

fn any_rows<W: PanelSource>(
    x: MatrixRef<'_>,
    weights: &W,
    output: &mut Output<'_, '_>,
    scratch: &mut Scratch,
) {
    if x.rows() == 1 {
        row_product(x.row(0), weights, output, scratch);
    } else {
        product(x, weights, output, scratch);
    }
}

fn product<W: PanelSource>(
    x: MatrixRef<'_>,
    weights: &W,
    output: &mut Output<'_, '_>,
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
            let pass = Pass {
                is_first: input == 0,
                is_last: columns.end == inputs,
            };
            for panel in (0..panels).step_by(BLOCK_PANELS) {
                let block = Block {
                    panels: panel..panels.min(panel + BLOCK_PANELS),
                    inputs: columns.clone(),
                };
                weights.prepare(&block, &mut scratch.widened);
                for (row, group) in rows.clone().step_by(TILE_ROWS).zip(0..) {
                    let group = scratch.rows.steps(group, 0..columns.len());
                    output.each_tile(row, block.panels.clone(), pass, |panel, tile| {
                        let panel = weights.steps(&scratch.widened, &block, panel);
                        Native::accumulate(group, panel, tile);
                    });
                }
            }
        }
    }
}

/// The product with one row, which is as fast as memory is.
fn row_product<W: PanelSource>(
    x: &[f32],
    weights: &W,
    output: &mut Output<'_, '_>,
    scratch: &mut Scratch,
) {
    scratch.row.pack(x);
    output.each_panel(|add| row_sums(x, weights, scratch, add));
}

fn row_sums<W: PanelSource>(
    x: &[f32],
    weights: &W,
    scratch: &mut Scratch,
    mut take: impl FnMut(usize, &ColumnStep),
) {
    let panels = weights.outputs().div_ceil(TILE_COLUMNS);
    for first in (0..panels).step_by(STRIP_PANELS) {
        let strip = first..panels.min(first + STRIP_PANELS);
        let mut sums: Strip = [ColumnStep::ZERO; STRIP_PANELS];
        for input in (0..x.len()).step_by(BLOCK_INPUTS) {
            let columns = input..x.len().min(input + BLOCK_INPUTS);
            let block = Block {
                panels: strip.clone(),
                inputs: columns.clone(),
            };
            weights.prepare(&block, &mut scratch.widened);
            // The last strip may lack panels; it then takes its last one again, and what comes of
            // that is left out.
            let panels: [_; STRIP_PANELS] = std::array::from_fn(|i| {
                let panel = (first + i).min(strip.end - 1);
                weights.steps(&scratch.widened, &block, panel)
            });
            Native::accumulate_strip(scratch.row.steps(columns), panels, &mut sums);
        }
        for (panel, sums) in strip.zip(&sums) {
            take(panel, sums);
        }
    }
}
