//! Rows through layers, a block after another, with a look at the deadline between two.

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::{ParallelSlice as _, ParallelSliceMut as _};
use rten_simd::SimdUnaryOp as _;
use rten_vecmath::{Gelu, Silu};

use super::packed_layer::PackedLayer;
use super::rows::Rows;

/// Numbers that a thread takes through an activation at once: some microseconds.
const ACTIVATION_CHUNK: usize = 1 << 14;

/// Rows that a thread takes are a multiple of this: fewer are better shared by their outputs.
const PART_ROWS: usize = 16;

/// Numbers of the widest row of a block, times its rows, at most: what is held between two layers.
const BLOCK_NUMBERS: usize = 1 << 20;

/// What is done to each output of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
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

/// A layer and what is done to its outputs.
pub(super) struct LinearStep<'a> {
    pub(super) layer: &'a PackedLayer,
    pub(super) activation: Activation,
}

/// The rows `x` through the steps, of which there is at least one and each fits the one before it. `go_on`
/// is asked before each piece of work.
pub(super) fn linear(
    steps: &[LinearStep<'_>],
    x: Rows<'_>,
    threads: usize,
    go_on: impl Fn() -> wasmtime::Result<()> + Sync,
) -> wasmtime::Result<Vec<f32>> {
    let widest = steps.iter().map(|step| step.layer.outputs()).max();
    let outputs = steps.last().map_or(0, |step| step.layer.outputs());
    let block_rows = steps.iter().map(|step| step.layer.block_rows()).min();
    let rows = (block_rows.unwrap_or(1) * threads)
        .min(BLOCK_NUMBERS / widest.unwrap_or(1).max(1))
        .max(1);
    let length = x.length();
    let mut answer = vec![0.0; x.count() * outputs];
    let blocks = x.values().chunks(rows * length);
    for (x, y) in blocks.zip(answer.chunks_mut(rows * outputs)) {
        // Each thread takes its rows through all layers, and waits for no other in between.
        let part = (x.len() / length)
            .div_ceil(threads)
            .next_multiple_of(PART_ROWS);
        x.par_chunks(part * length)
            .zip(y.par_chunks_mut(part * outputs))
            .try_for_each(|(x, y)| through(steps, x, y, &go_on))?;
    }
    Ok(answer)
}

/// Some rows through all layers.
fn through(
    steps: &[LinearStep<'_>],
    x: &[f32],
    y: &mut [f32],
    go_on: &impl Fn() -> wasmtime::Result<()>,
) -> wasmtime::Result<()> {
    let Some((last, before)) = steps.split_last() else {
        return Ok(());
    };
    let mut held: Option<Vec<f32>> = None;
    for step in before {
        let x = Rows::new(held.as_deref().unwrap_or(x), step.layer.inputs());
        let mut y = vec![0.0; x.count() * step.layer.outputs()];
        apply(step, x, &mut y, go_on)?;
        held = Some(y);
    }
    let x = Rows::new(held.as_deref().unwrap_or(x), last.layer.inputs());
    apply(last, x, y, go_on)
}

/// One layer, panel by panel.
fn apply(
    step: &LinearStep<'_>,
    x: Rows<'_>,
    y: &mut [f32],
    go_on: &impl Fn() -> wasmtime::Result<()>,
) -> wasmtime::Result<()> {
    let LinearStep { layer, activation } = step;
    let outputs = layer.outputs();
    let compute = |panel: usize, y: &mut [f32]| -> wasmtime::Result<()> {
        let done = layer.multiply(panel, x, y);
        y.par_chunks_mut(ACTIVATION_CHUNK)
            .for_each(|part| activation.apply(part));
        done
    };
    let mut part = Vec::new();
    for panel in 0..layer.panels() {
        go_on()?;
        if layer.panels() == 1 {
            compute(panel, y)?;
            continue;
        }
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
    Ok(())
}
