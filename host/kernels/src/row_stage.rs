//! Steps in which no row depends on another. Rows go through them in blocks, with a check of the deadline between two
//! blocks.

use std::borrow::Cow;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use rten_simd::SimdUnaryOp as _;
use rten_vecmath::{Gelu, Silu};

use crate::normalization::Normalization;
use crate::packed_layer::{BLOCK_ROWS, PackedLayer};
use crate::rows::Rows;

/// Numbers that a thread applies an activation to at once: some microseconds.
const ACTIVATION_CHUNK: usize = 1 << 14;

/// Unit of the rows that one thread takes. Threads share fewer rows than this by their outputs.
const PART_ROWS: usize = 16;

/// Most numbers that a block holds between two steps: its rows times the widest length.
const BLOCK_NUMBERS: usize = 1 << 20;

/// Function that is applied to each output of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    None,
    Relu,
    Gelu,
    Silu,
}

impl Activation {
    fn apply(self, values: &mut [f32]) {
        match self {
            Self::None => {}
            // `max` would turn NaN into 0.
            Self::Relu => values
                .iter_mut()
                .filter(|x| **x < 0.0)
                .for_each(|x| *x = 0.0),
            Self::Gelu => Gelu {}.map_mut(values),
            Self::Silu => Silu {}.map_mut(values),
        }
    }
}

/// One step of a row.
pub(crate) enum RowStep<'a> {
    /// Multiplies with a layer, and applies a function to its outputs.
    Linear(&'a PackedLayer, Activation),
    /// Keeps a copy of the row.
    Keep,
    /// Adds the kept row, and forgets it.
    AddKept,
    Normalize(Normalization<'a>),
}

/// Steps in sequence. Invariant: each takes rows of the length that the one before gives.
pub(crate) struct RowStage<'a> {
    steps: Vec<RowStep<'a>>,
    inputs: usize,
    outputs: usize,
    /// Length of the rows that were kept before the stage, or 0.
    kept: usize,
    /// Work of one row, in multiply-adds.
    multiplications: u64,
    /// Length of the longest row in the stage.
    widest: usize,
    /// Length of the rows that are kept after the stage, or 0.
    kept_after: usize,
    /// Numbers of the largest panel that is widened while it is read.
    widened: usize,
}

/// Copies of a block that are held at once, each as wide as the widest row: a layer's input and output, a panel's part
/// of the output, the kept rows, and the integers and integer sums of a layer that uses them.
const BLOCK_COPIES: u64 = 7;

impl<'a> RowStage<'a> {
    /// Makes a stage without steps, for rows of length `inputs`. `kept` is the length of rows that were kept before, or
    /// 0.
    pub(crate) fn new(inputs: usize, kept: usize) -> Self {
        Self {
            steps: Vec::new(),
            inputs,
            outputs: inputs,
            kept,
            multiplications: 0,
            widest: inputs.max(kept),
            kept_after: kept,
            widened: 0,
        }
    }

    /// Adds a step, which has to take rows of length [`RowStage::outputs`].
    pub(crate) fn push(&mut self, step: RowStep<'a>) {
        let length = self.outputs as u64;
        let multiplications = match &step {
            RowStep::Linear(layer, _) => {
                self.outputs = layer.outputs();
                self.widened = self.widened.max(layer.widened());
                length.saturating_mul(self.outputs as u64)
            }
            RowStep::Keep | RowStep::AddKept => length,
            RowStep::Normalize(_) => length.saturating_mul(Normalization::MULTIPLICATIONS),
        };
        match &step {
            RowStep::Keep => self.kept_after = self.outputs,
            RowStep::AddKept => self.kept_after = 0,
            RowStep::Linear(..) | RowStep::Normalize(_) => {}
        }
        self.multiplications = self.multiplications.saturating_add(multiplications);
        self.widest = self.widest.max(self.outputs);
        self.steps.push(step);
    }

    /// Returns the length of an input row.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns the length of an output row.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Returns the length of a row that is kept after the stage, or 0.
    pub(crate) fn kept_after(&self) -> usize {
        self.kept_after
    }

    /// Returns the work for so many rows, in multiply-adds.
    pub(crate) fn multiplications(&self, rows: usize) -> u64 {
        self.multiplications.saturating_mul(rows as u64)
    }

    /// Counts the numbers that are held while a block is computed, beside input, output and kept rows.
    pub(crate) fn scratch(&self, rows: usize, threads: usize) -> u64 {
        let block = self.block(threads).min(rows) as u64;
        let of_block = block.saturating_mul(self.widest as u64);
        let widened = (self.widened as u64).saturating_mul(threads as u64);
        of_block
            .saturating_mul(BLOCK_COPIES)
            .saturating_add(widened)
    }

    /// Returns the rows of a block.
    fn block(&self, threads: usize) -> usize {
        (BLOCK_ROWS * threads)
            .min(BLOCK_NUMBERS / self.widest.max(1))
            .max(1)
    }

    /// Computes the steps for the rows `x`. `kept` holds the rows that were kept before, and afterwards those that are
    /// kept now. `go_on` is called before each block; its error stops the work.
    pub(crate) fn run(
        &self,
        x: Rows<'_>,
        kept: &mut Vec<f32>,
        threads: usize,
        go_on: impl Fn() -> wasmtime::Result<()> + Sync,
    ) -> wasmtime::Result<Vec<f32>> {
        let count = x.count();
        let rows = self.block(threads);
        // Each thread takes its rows through all steps, without waiting for the others in between.
        let part = rows
            .min(count)
            .div_ceil(threads)
            .next_multiple_of(PART_ROWS)
            .min(rows);
        let mut y = vec![0.0; count * self.outputs];
        let mut kept_after = Vec::new();
        for first in (0..count).step_by(rows) {
            let block = first..count.min(first + rows);
            let y = &mut y[block.start * self.outputs..block.end * self.outputs];
            let parts = y.par_chunks_mut(part * self.outputs);
            let starts = block.clone().into_par_iter().step_by(part);
            let kept_of_parts: Vec<_> = parts
                .zip(starts)
                .map(|(y, start)| {
                    let rows = start..block.end.min(start + part);
                    let x = &x.values()[rows.start * self.inputs..rows.end * self.inputs];
                    let kept = &kept[rows.start * self.kept..rows.end * self.kept];
                    self.through(x, kept, y, &go_on)
                })
                .collect::<wasmtime::Result<_>>()?;
            kept_of_parts
                .iter()
                .for_each(|part| kept_after.extend_from_slice(part));
        }
        if self.changes_kept() {
            *kept = kept_after;
        }
        Ok(y)
    }

    /// Tells whether the stage changes the kept rows.
    fn changes_kept(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step, RowStep::Keep | RowStep::AddKept))
    }

    /// Computes all steps for some rows, into `y`. Returns the kept rows if the stage changes them, and none otherwise.
    fn through(
        &self,
        x: &[f32],
        kept: &[f32],
        y: &mut [f32],
        go_on: &(impl Fn() -> wasmtime::Result<()> + Sync),
    ) -> wasmtime::Result<Vec<f32>> {
        let mut current = Cow::Borrowed(x);
        let mut kept = Cow::Borrowed(kept);
        for step in &self.steps {
            go_on()?;
            match step {
                RowStep::Linear(layer, activation) => {
                    let x = Rows::new(&current, layer.inputs());
                    current = Cow::Owned(apply(layer, *activation, x, go_on)?);
                }
                RowStep::Keep => kept = current.clone(),
                RowStep::AddKept => {
                    let sums = current.to_mut().iter_mut().zip(&*kept);
                    sums.for_each(|(x, kept)| *x += kept);
                    kept = Cow::Borrowed(&[]);
                }
                RowStep::Normalize(normalization) => normalization.apply(current.to_mut()),
            }
        }
        y.copy_from_slice(&current);
        Ok(if self.changes_kept() {
            kept.into_owned()
        } else {
            Vec::new()
        })
    }
}

/// Computes one layer, panel by panel.
fn apply(
    layer: &PackedLayer,
    activation: Activation,
    x: Rows<'_>,
    go_on: &(impl Fn() -> wasmtime::Result<()> + Sync),
) -> wasmtime::Result<Vec<f32>> {
    let outputs = layer.outputs();
    let rounded = layer.rounded(x);
    let mut y = vec![0.0; x.count() * outputs];
    let compute = |panel: usize, y: &mut [f32]| -> wasmtime::Result<()> {
        if panel > 0 {
            go_on()?;
        }
        let done = layer.multiply(panel, x, &rounded, y);
        y.par_chunks_mut(ACTIVATION_CHUNK)
            .for_each(|part| activation.apply(part));
        done
    };
    if x.count() == 1 || layer.panels() == 1 {
        // Each panel's outputs are contiguous.
        y.par_chunks_mut(x.count() * layer.width())
            .enumerate()
            .try_for_each(|(panel, y)| compute(panel, y))?;
        return Ok(y);
    }
    let mut part = Vec::new();
    for panel in 0..layer.panels() {
        let columns = layer.outputs_of(panel);
        part.resize(x.count() * columns.len(), 0.0);
        compute(panel, &mut part)?;
        for (row, part) in y
            .chunks_exact_mut(outputs)
            .zip(part.chunks_exact(columns.len()))
        {
            row[columns.clone()].copy_from_slice(part);
        }
    }
    Ok(y)
}
