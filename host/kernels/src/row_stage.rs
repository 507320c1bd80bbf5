//! Rows through steps in which none depends on another: a block after another, with a look at the deadline
//! between two.

use std::borrow::Cow;

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSliceMut as _;
use rten_simd::SimdUnaryOp as _;
use rten_vecmath::{Gelu, Silu};

use crate::normalization::Normalization;
use crate::packed_layer::{BLOCK_ROWS, PackedLayer};
use crate::rows::Rows;

/// Numbers that a thread takes through an activation at once: some microseconds.
const ACTIVATION_CHUNK: usize = 1 << 14;

/// Rows that a thread takes are a multiple of this: fewer are better shared by their outputs.
const PART_ROWS: usize = 16;

/// Numbers of the widest row of a block, times its rows, at most: what is held between two steps.
const BLOCK_NUMBERS: usize = 1 << 20;

/// What is done to each output of a layer.
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
            // Not `max`, which takes 0 for what is no number.
            Self::Relu => values
                .iter_mut()
                .filter(|x| **x < 0.0)
                .for_each(|x| *x = 0.0),
            Self::Gelu => Gelu {}.map_mut(values),
            Self::Silu => Silu {}.map_mut(values),
        }
    }
}

/// One thing that is done to each row.
pub(crate) enum RowStep<'a> {
    /// A layer, and what is done to its outputs.
    Linear(&'a PackedLayer, Activation),
    /// The rows are kept as they are here.
    Keep,
    /// What was kept is added.
    AddKept,
    Normalize(Normalization<'a>),
}

/// Steps one after another, each of which fits the one before it. At least one.
pub(crate) struct RowStage<'a> {
    steps: Vec<RowStep<'a>>,
    inputs: usize,
    outputs: usize,
    /// The length of the rows that were kept before it, or 0.
    kept: usize,
    /// The work that one row is, in multiplications with an addition.
    multiplications: u64,
    /// The length of the longest row in it.
    widest: usize,
    /// The length of the rows that are kept after it, or 0.
    kept_after: usize,
    /// The numbers of the largest panel that is widened while it is read.
    widened: usize,
}

/// Rows of the widest that a block is held in at once: what goes into a layer and comes out of it, a panel's share,
/// what is kept, and whole numbers and their sums where a layer multiplies such.
const BLOCK_COPIES: u64 = 7;

impl<'a> RowStage<'a> {
    /// Without steps yet, for rows of this length; `kept` is that of those that were kept before, or 0.
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

    /// Adds a step, which fits what comes before it.
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

    /// The length of a row that goes in.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The length of a row that comes out.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// The length of a row that is kept after it.
    pub(crate) fn kept_after(&self) -> usize {
        self.kept_after
    }

    /// The work that so many rows are, in multiplications with an addition.
    pub(crate) fn multiplications(&self, rows: usize) -> u64 {
        self.multiplications.saturating_mul(rows as u64)
    }

    /// Counts the numbers that are held while a block goes through it, beside rows that come, go and are kept.
    pub(crate) fn scratch(&self, rows: usize, threads: usize) -> u64 {
        let block = self.block(threads).min(rows) as u64;
        let of_block = block.saturating_mul(self.widest as u64);
        let widened = (self.widened as u64).saturating_mul(threads as u64);
        of_block
            .saturating_mul(BLOCK_COPIES)
            .saturating_add(widened)
    }

    /// Rows that go through the steps at once.
    fn block(&self, threads: usize) -> usize {
        (BLOCK_ROWS * threads)
            .min(BLOCK_NUMBERS / self.widest.max(1))
            .max(1)
    }

    /// The rows `x` through the steps. `kept` is what was kept before, and becomes what is kept after. `go_on` is
    /// asked before each piece of work.
    pub(crate) fn run(
        &self,
        x: Rows<'_>,
        kept: &mut Vec<f32>,
        threads: usize,
        go_on: impl Fn() -> wasmtime::Result<()> + Sync,
    ) -> wasmtime::Result<Vec<f32>> {
        let count = x.count();
        let rows = self.block(threads);
        // Each thread takes its rows through all steps, and waits for no other in between.
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

    /// Whether other rows are kept after it than before.
    fn changes_kept(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step, RowStep::Keep | RowStep::AddKept))
    }

    /// Some rows through all steps, into `y`. Answers what is kept of them, if other than before.
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

/// One layer, panel by panel.
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
        // Each panel's outputs lie together.
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
