//! Weights in bytes, in the order in which the inner loop reads them.

use super::scale::scale_of_row;
use crate::blocks::int8::{BLOCK_INPUTS, DEPTH, Int8ColumnBlock, MOST_WEIGHT, WEIGHT_OFFSET};
use crate::blocks::tile::TILE_COLUMNS;

/// A matrix `[outputs, inputs]`: 8.5 bits a weight, with inputs up to whole blocks and outputs up to whole panels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Int8Panels {
    outputs: usize,
    inputs: usize,
    /// Blocks in a panel.
    depth: usize,
    /// Panel by panel.
    blocks: Vec<Int8ColumnBlock>,
}

impl Int8Panels {
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        let depth = inputs.div_ceil(BLOCK_INPUTS);
        let blocks = outputs.div_ceil(TILE_COLUMNS).checked_mul(depth);
        assert!(blocks.is_some(), "a matrix of {outputs} × {inputs}");
        Int8Panels {
            outputs,
            inputs,
            depth,
            blocks: vec![Int8ColumnBlock::ZERO; blocks.unwrap_or(0)],
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.blocks.as_slice())
    }

    /// Stores all weights of one output.
    pub(crate) fn set(&mut self, output: usize, row: &[f32]) {
        let (first, lane) = (output / TILE_COLUMNS * self.depth, output % TILE_COLUMNS);
        let blocks = self.blocks[first..].iter_mut();
        for (block, values) in blocks.zip(row.chunks(BLOCK_INPUTS)) {
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
        let (panel, lane) = (output / TILE_COLUMNS, output % TILE_COLUMNS);
        for (values, block) in row.chunks_mut(BLOCK_INPUTS).zip(self.panel(panel)) {
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
        &self.blocks[panel * self.depth..][..self.depth]
    }

    /// Returns the number of blocks in a panel.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }
}
