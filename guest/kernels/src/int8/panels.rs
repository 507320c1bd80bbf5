//! Weights in bytes, in the order in which the inner loop reads them.

use super::{DEPTH, MAX_INT8_INPUTS, MOST_WEIGHT, WEIGHT_OFFSET, scale_of};
use crate::tile::{STEPS, TILE_COLUMNS, window};

/// One step's share: [`DEPTH`] inputs of [`TILE_COLUMNS`] outputs, each with [`WEIGHT_OFFSET`] added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub(crate) struct Int8ColumnStep(pub(crate) [[[u8; DEPTH]; 4]; 2]);

impl Int8ColumnStep {
    const ZERO: Int8ColumnStep = Int8ColumnStep([[[WEIGHT_OFFSET as u8; DEPTH]; 4]; 2]);
}

/// A matrix `[outputs, inputs]`: about a byte a weight, and a scale of four for each output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Int8Panels {
    outputs: usize,
    inputs: usize,
    /// Steps in a panel.
    depth: usize,
    /// Panel by panel, and after them enough room that [`STEPS`] steps can be lent from any on.
    steps: Vec<Int8ColumnStep>,
    /// For each output, up to whole panels.
    scales: Vec<f32>,
}

impl Int8Panels {
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        assert!(inputs <= MAX_INT8_INPUTS, "{inputs} inputs in int8");
        let (panels, depth) = (outputs.div_ceil(TILE_COLUMNS), inputs.div_ceil(DEPTH));
        let steps = panels
            .checked_mul(depth)
            .and_then(|steps| steps.checked_add(STEPS - 1));
        assert!(steps.is_some(), "a matrix of {outputs} × {inputs}");
        Int8Panels {
            outputs,
            inputs,
            depth,
            steps: vec![Int8ColumnStep::ZERO; steps.unwrap_or(0)],
            scales: vec![0.0; panels * TILE_COLUMNS],
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.steps.as_slice()) + size_of_val(self.scales.as_slice())
    }

    /// Puts the weights of one output, all of them, at their place.
    pub(crate) fn set(&mut self, output: usize, row: &[f32]) {
        let (scale, inverse) = scale_of(row, MOST_WEIGHT);
        self.scales[output] = scale;
        let (first, lane) = (output / TILE_COLUMNS * self.depth, output % TILE_COLUMNS);
        for (step, values) in self.steps[first..].iter_mut().zip(row.chunks(DEPTH)) {
            for (weight, value) in step.0[lane / 4][lane % 4].iter_mut().zip(values) {
                let rounded = (value * inverse).round_ties_even() as i32;
                *weight = (rounded + WEIGHT_OFFSET) as u8;
            }
        }
    }

    pub(crate) fn unpack(&self, output: usize, row: &mut [f32]) {
        let (first, lane) = (output / TILE_COLUMNS * self.depth, output % TILE_COLUMNS);
        for (values, step) in row.chunks_mut(DEPTH).zip(&self.steps[first..]) {
            for (value, &weight) in values.iter_mut().zip(&step.0[lane / 4][lane % 4]) {
                *value = (i32::from(weight) - WEIGHT_OFFSET) as f32 * self.scales[output];
            }
        }
    }

    /// Steps in a panel.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// [`STEPS`] steps of the panel from step `step` on. Those beyond its last are not its.
    #[inline(always)]
    pub(crate) fn steps(&self, panel: usize, step: usize) -> &[Int8ColumnStep; STEPS] {
        window(&self.steps, panel * self.depth + step)
    }

    /// The scales of a panel's outputs.
    pub(crate) fn scales(&self, panel: usize) -> &[f32] {
        &self.scales[panel * TILE_COLUMNS..][..TILE_COLUMNS]
    }
}
