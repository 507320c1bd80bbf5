//! Weights in f16, in the order of [`Panels`](crate::panels::Panels): half the memory, and half of it to
//! read.

use half::f16;

use crate::simd::{Kernels, Native};
use crate::tile::{ColumnStep, TILE_COLUMNS};

/// One step's share: [`TILE_COLUMNS`] columns of the same row, as f16's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub(crate) struct HalfStep(pub(crate) [u16; TILE_COLUMNS]);

/// A matrix `[outputs, inputs]`: `2 · inputs · (outputs rounded up to 8)` bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HalfPanels {
    outputs: usize,
    inputs: usize,
    steps: Vec<HalfStep>,
}

impl HalfPanels {
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        let steps = outputs.div_ceil(TILE_COLUMNS).checked_mul(inputs);
        assert!(steps.is_some(), "a matrix of {outputs} × {inputs}");
        HalfPanels {
            outputs,
            inputs,
            steps: vec![HalfStep([0; TILE_COLUMNS]); steps.unwrap_or(0)],
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.steps.as_slice())
    }

    /// Puts `values` at their place: the row-major elements from element `start` on.
    pub(crate) fn fill(&mut self, start: usize, values: &[f32]) {
        for (at, &value) in (start..).zip(values) {
            let (output, input) = (at / self.inputs, at % self.inputs);
            let step = output / TILE_COLUMNS * self.inputs + input;
            self.steps[step].0[output % TILE_COLUMNS] = f16::from_f32(value).to_bits();
        }
    }

    pub(crate) fn unpack(&self, output: usize, row: &mut [f32]) {
        let (panel, lane) = (output / TILE_COLUMNS, output % TILE_COLUMNS);
        for (value, step) in row.iter_mut().zip(&self.steps[panel * self.inputs..]) {
            *value = f16::from_bits(step.0[lane]).to_f32();
        }
    }

    /// Widens the panel's inputs `first..first + to.len()`.
    pub(crate) fn widen(&self, panel: usize, first: usize, to: &mut [ColumnStep]) {
        let from = &self.steps[panel * self.inputs + first..];
        for (to, from) in to.iter_mut().zip(from) {
            Native::widen(from, to);
        }
    }
}
