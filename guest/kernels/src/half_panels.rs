//! Weights in f16, in the order of those in f32: half the memory, and half of it to read.

use std::ops::Range;

use half::f16;

use crate::blocks::half::HalfStep;
use crate::blocks::tile::{ColumnStep, TILE_COLUMNS};
use crate::panel_order::PanelOrder;
use crate::simd::{Kernels, Native};

/// A matrix `[outputs, inputs]`: `2 · inputs · (outputs rounded up to 32)` bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HalfPanels {
    order: PanelOrder,
    steps: Vec<HalfStep>,
}

impl HalfPanels {
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        let order = PanelOrder { outputs, inputs };
        HalfPanels {
            steps: vec![HalfStep([0; TILE_COLUMNS]); order.steps()],
            order,
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.order.outputs
    }

    pub(crate) fn inputs(&self) -> usize {
        self.order.inputs
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.steps.as_slice())
    }

    /// Stores `values`, the row-major elements from element `start` on.
    pub(crate) fn fill(&mut self, start: usize, values: &[f32]) {
        self.order.each_part(start, values, |first, lane, part| {
            for (step, &value) in self.steps[first..].iter_mut().zip(part) {
                step.0[lane] = f16::from_f32(value).to_bits();
            }
        });
    }

    pub(crate) fn unpack(&self, output: usize, row: &mut [f32]) {
        let lane = output % TILE_COLUMNS;
        for (first, part) in self.order.parts_of(output, row) {
            for (value, step) in part.iter_mut().zip(&self.steps[first..]) {
                *value = f16::from_bits(step.0[lane]).to_f32();
            }
        }
    }

    /// Widens the steps of these panels, one after another, for the inputs from `first` on that lie together.
    pub(crate) fn widen(&self, panels: Range<usize>, first: usize, to: &mut [ColumnStep]) {
        let from = &self.steps[self.order.together(panels, first)];
        for (to, from) in to.iter_mut().zip(from) {
            Native::widen(from, to);
        }
    }
}
