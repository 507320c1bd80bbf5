//! Weights of four bits, in the order in which the inner loop reads them.

use std::ops::Range;

use half::f16;

use crate::block_panels::BlockPanels;
use crate::blocks::int4::{BLOCK_INPUTS, Int4Block, WEIGHT_OFFSET, place_of};
use crate::blocks::tile::ColumnStep;
use crate::simd::{Kernels as _, Native};

/// A matrix `[outputs, inputs]`: 4.5 bits a weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Int4Panels {
    panels: BlockPanels<Int4Block, BLOCK_INPUTS>,
    /// True while all scales are finite.
    is_finite: bool,
}

impl Int4Panels {
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        Int4Panels {
            panels: BlockPanels::filled(outputs, inputs, Int4Block::ZERO),
            is_finite: true,
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.panels.outputs()
    }

    pub(crate) fn inputs(&self) -> usize {
        self.panels.inputs()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.panels.bytes()
    }

    /// Stores all weights of one output.
    pub(crate) fn set(&mut self, output: usize, row: &[f32]) {
        let (blocks, lane) = self.panels.of_output_mut(output);
        for (block, values) in blocks.iter_mut().zip(row.chunks(BLOCK_INPUTS)) {
            let scale = scale_of(values);
            block.scales.0[lane] = scale.to_bits();
            self.is_finite &= scale.is_finite();
            let scale = scale.to_f32();
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            for (input, value) in values.iter().enumerate() {
                let rounded = (value * inverse).round_ties_even() as i16;
                let weight = (rounded + WEIGHT_OFFSET).clamp(0, 15) as u8;
                block.set(lane, input, weight);
            }
        }
    }

    pub(crate) fn unpack(&self, output: usize, row: &mut [f32]) {
        let (blocks, lane) = self.panels.of_output(output);
        for (values, block) in row.chunks_mut(BLOCK_INPUTS).zip(blocks) {
            for (input, value) in values.iter_mut().enumerate() {
                *value = block.weight(lane, input) * block.scale(lane);
            }
        }
    }

    /// Tells whether a panel's scales are finite.
    pub(crate) fn is_finite(&self, panel: usize) -> bool {
        let is_finite = |scale: &u16| f16::from_bits(*scale).is_finite();
        let mut blocks = self.panel(panel).iter();
        self.is_finite || blocks.all(|block| block.scales.0.iter().all(is_finite))
    }

    /// Returns the blocks of a panel.
    pub(crate) fn panel(&self, panel: usize) -> &[Int4Block] {
        self.panels.panel(panel)
    }

    /// Widens the steps of these panels, one after another, for the inputs of the block that begins with `first`. Panels
    /// after the last one are zeros.
    pub(crate) fn widen(&self, panels: Range<usize>, first: usize, to: &mut [ColumnStep]) {
        let steps = BLOCK_INPUTS.min(self.inputs() - first);
        let there = self.panels.panels();
        for (panel, to) in panels.zip(to.chunks_mut(steps.max(1))) {
            if panel < there {
                widen_block(&self.panel(panel)[first / BLOCK_INPUTS], to);
            } else {
                to.fill(ColumnStep::ZERO);
            }
        }
    }
}

/// Widens the first inputs of a block.
fn widen_block(block: &Int4Block, to: &mut [ColumnStep]) {
    let mut scales = ColumnStep::ZERO;
    Native::widen(&block.scales, &mut scales);
    for (input, step) in to.iter_mut().enumerate() {
        let (pair, place, shift) = place_of(input);
        let halves = step.0.iter_mut().zip(&scales.0).zip(&block.weights);
        for ((step, scales), weights) in halves {
            let outputs = step.iter_mut().zip(scales).zip(&weights[pair]);
            for ((number, scale), weights) in outputs {
                let weight = i16::from(weights[place] >> shift & 15) - WEIGHT_OFFSET;
                *number = f32::from(weight) * scale;
            }
        }
    }
}

/// Returns the scale of a block, with which the number of the largest magnitude becomes −8. NaN where a number is
/// infinite or NaN.
fn scale_of(values: &[f32]) -> f16 {
    let mut extreme = 0.0_f32;
    for &value in values {
        if !value.is_finite() {
            return f16::NAN;
        }
        if value.abs() > extreme.abs() {
            extreme = value;
        }
    }
    f16::from_f32(extreme / -8.0)
}
