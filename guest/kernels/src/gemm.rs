//! The matrix product.
//!
//! Blocks as in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), for one
//! thread. A few panels of weights, for as many inputs as the inner loop takes, stay in the first-level cache, while
//! groups of four rows of activations, which are packed four times over and stay in the second-level cache, pass by
//! them. So weights are read once for each block of rows, in pieces of [`BLOCK_PANELS`].

use std::ops::Range;

use crate::blocks::strip::{STRIP_PANELS, STRIP_STEPS};
use crate::blocks::tile::{ColumnStep, STEPS, TILE_COLUMNS, TILE_ROWS};
use crate::epilogue::Epilogue;
use crate::half_panels::HalfPanels;
use crate::int4::{self, Int4Inputs, Int4Panels};
use crate::int8::{self, Int8Rows};
use crate::matrix::{MatrixMut, MatrixRef};
use crate::output::{Output, Pass};
use crate::packed_matrix::{PackedMatrix, Weights};
use crate::packed_rows::{PackedRows, SpreadRow};
use crate::panel_order::panels_of;
use crate::panels::Panels;
use crate::simd::{Kernels, Native};

/// Rows of activations in a block: packed, with [`BLOCK_INPUTS`], 384 KiB of scratch memory, which a second-level
/// cache of 512 KiB holds.
const BLOCK_ROWS: usize = 128;

/// Inputs in a block, a multiple of [`STEPS`].
const BLOCK_INPUTS: usize = 192;

/// Panels in a block, a multiple of [`STRIP_PANELS`]: of [`STEPS`] inputs 24 KiB, which a first-level cache of 32 KiB
/// holds beside a group of rows and what is summed.
const BLOCK_PANELS: usize = 24;

// A block begins where something begins that lies together: inputs of a turn, panels of a strip, inputs of a scale.
const _: () = assert!(BLOCK_INPUTS.is_multiple_of(STEPS));
const _: () = assert!(BLOCK_PANELS.is_multiple_of(STRIP_PANELS));
const _: () = assert!(STEPS == crate::blocks::int4::BLOCK_INPUTS);
const _: () = assert!(STEPS.is_multiple_of(STRIP_STEPS));

/// Working memory of [`linear`], for reuse by the next call.
#[derive(Debug, Default)]
pub struct Scratch {
    rows: PackedRows,
    row: SpreadRow,
    int8_rows: Int8Rows,
    int4_inputs: Int4Inputs,
    /// Panels, widened.
    widened: Vec<ColumnStep>,
    /// The sums of one row, panel by panel.
    sums: Vec<ColumnStep>,
}

/// `y[m, n] = epilogue(bias[n] + Σ x[m, k] · weights[n, k])` over all `k`: a linear layer.
///
/// Shapes: `x` `[m, inputs]`, `weights` `[outputs, inputs]`, `bias` `[outputs]` (zero when there is
/// none), `y` `[m, outputs]`. With weights in f32 or f16 each sum is taken in the order of `k`, in f32,
/// and infinities and NaN follow IEEE 754. With rounded activations, a row that holds one of them (of int4: a
/// block of a row) gives NaN everywhere.
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
    /// Panels that are best taken at once for one row.
    const ROW_PANELS: usize;

    fn outputs(&self) -> usize;
    fn inputs(&self) -> usize;

    /// Returns the steps of these panels, one after another, for [`STEPS`] inputs from `first` on, or for fewer at the
    /// end. Panels from the last one to the end of its strip are zeros. Weights in another format than f32 are widened
    /// into `widened`.
    fn together<'a>(
        &'a self,
        panels: Range<usize>,
        first: usize,
        widened: &'a mut Vec<ColumnStep>,
    ) -> &'a [ColumnStep];
}

impl PanelSource for Panels {
    const ROW_PANELS: usize = usize::MAX;

    fn outputs(&self) -> usize {
        self.outputs()
    }

    fn inputs(&self) -> usize {
        self.inputs()
    }

    #[inline(always)]
    fn together<'a>(
        &'a self,
        panels: Range<usize>,
        first: usize,
        _: &'a mut Vec<ColumnStep>,
    ) -> &'a [ColumnStep] {
        self.together(panels, first)
    }
}

macro_rules! widened_source {
    ($panels:ty) => {
        impl PanelSource for $panels {
            // What is widened stays in the first-level cache.
            const ROW_PANELS: usize = BLOCK_PANELS;

            fn outputs(&self) -> usize {
                self.outputs()
            }

            fn inputs(&self) -> usize {
                self.inputs()
            }

            fn together<'a>(
                &'a self,
                panels: Range<usize>,
                first: usize,
                widened: &'a mut Vec<ColumnStep>,
            ) -> &'a [ColumnStep] {
                let steps = STEPS.min(self.inputs() - first);
                widened.resize(panels.len() * steps, ColumnStep::ZERO);
                self.widen(panels, first, widened);
                widened
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
            for panel in (0..panels).step_by(BLOCK_PANELS) {
                let block = panel..panels.min(panel + BLOCK_PANELS);
                for first in (0..columns.len().max(1)).step_by(STEPS) {
                    let together = first..columns.len().min(first + STEPS);
                    let pass = Pass {
                        is_first: input + first == 0,
                        is_last: input + together.end == inputs,
                    };
                    let steps = together.len();
                    let b = weights.together(block.clone(), input + first, &mut scratch.widened);
                    for (row, group) in rows.clone().step_by(TILE_ROWS).zip(0..) {
                        let a = scratch.rows.steps(group, together.clone());
                        output.each_tile(row, block.clone(), pass, |panels, tiles| {
                            let b = &b[(panels.start - block.start) * steps..];
                            Native::accumulate(a, b, tiles);
                        });
                    }
                }
            }
        }
    }
}

/// Computes the product with one row, at the speed of memory.
fn row_product<W: PanelSource>(
    x: &[f32],
    weights: &W,
    output: &mut Output<'_, '_>,
    scratch: &mut Scratch,
) {
    scratch.row.pack(x);
    let panels = panels_of(weights.outputs());
    let Scratch {
        row, sums, widened, ..
    } = scratch;
    sums.clear();
    sums.resize(panels, ColumnStep::ZERO);
    for first in (0..x.len()).step_by(STEPS) {
        let x = row.steps(first..x.len().min(first + STEPS));
        let mut done = 0;
        for sums in sums.chunks_mut(W::ROW_PANELS) {
            let block = done..done + sums.len();
            done = block.end;
            Native::accumulate_strips(x, weights.together(block, first, widened), sums);
        }
    }
    output.each_panel(|add| {
        let there = weights.outputs().div_ceil(TILE_COLUMNS);
        for (panel, sums) in sums.iter().enumerate().take(there) {
            add(panel, sums);
        }
    });
}
