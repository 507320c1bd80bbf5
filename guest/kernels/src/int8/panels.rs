//! Weights in bytes, in the order in which the inner loop reads them.

use super::scale::scale_of_row;
use crate::block_panels::BlockPanels;
use crate::blocks::int8::{BLOCK_INPUTS, DEPTH, Int8ColumnBlock, MOST_WEIGHT, WEIGHT_OFFSET};

/// A matrix `[outputs, inputs]`: 8.5 bits a weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Int8Panels(BlockPanels<Int8ColumnBlock, BLOCK_INPUTS>);

impl Int8Panels {
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        Int8Panels(BlockPanels::filled(outputs, inputs, Int8ColumnBlock::ZERO))
    }

    pub(crate) fn outputs(&self) -> usize {
        self.0.outputs()
    }

    pub(crate) fn inputs(&self) -> usize {
        self.0.inputs()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Stores all weights of one output.
    pub(crate) fn set(&mut self, output: usize, row: &[f32]) {
        let (blocks, lane) = self.0.of_output_mut(output);
        for (block, values) in blocks.iter_mut().zip(row.chunks(BLOCK_INPUTS)) {
            let (scale, inverse) = scale_of_row(values, MOST_WEIGHT);
            block.scales.0[lane / 4][lane % 4] = scale;
            for (step, values) in block.steps.iter_mut().zip(values.chunks(DEPTH)) {
                for (weight, value) in step.0[lane / 4][lane % 4].iter_mut().zip(values) {
                    let rounded = (value * inverse).round_ties_even() as i32;
                    *weight = (rounded + WEIGHT_OFFSET) as u8;
                }
            }
        }
    }

    pub(crate) fn unpack(&self, output: usize, row: &mut [f32]) {
        let (blocks, lane) = self.0.of_output(output);
        for (values, block) in row.chunks_mut(BLOCK_INPUTS).zip(blocks) {
            let scale = block.scales.0[lane / 4][lane % 4];
            for (values, step) in values.chunks_mut(DEPTH).zip(&block.steps) {
                for (value, &weight) in values.iter_mut().zip(&step.0[lane / 4][lane % 4]) {
                    *value = (i32::from(weight) - WEIGHT_OFFSET) as f32 * scale;
                }
            }
        }
    }

    /// Returns the blocks of a panel.
    #[inline(always)]
    pub(crate) fn panel(&self, panel: usize) -> &[Int8ColumnBlock] {
        self.0.panel(panel)
    }

    /// Returns the number of blocks in a panel.
    pub(crate) fn depth(&self) -> usize {
        self.0.depth()
    }
}
