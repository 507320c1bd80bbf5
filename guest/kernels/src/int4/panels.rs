//! Weights of four bits, in the order in which the inner loop reads them.

use half::f16;

use super::{BLOCK_INPUTS, BLOCKS, HALF_BLOCK, WEIGHT_OFFSET};
use crate::half_panels::HalfStep;
use crate::tile::{ColumnStep, TILE_COLUMNS};

/// 32 inputs of [`TILE_COLUMNS`] outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub(crate) struct Int4Block {
    pub(crate) scales: HalfStep,
    /// For each output, in two fours, the inputs 0 to 15 in the low halves, 16 to 31 in the high ones, each with
    /// [`WEIGHT_OFFSET`] added.
    pub(crate) weights: [[[u8; HALF_BLOCK]; TILE_COLUMNS / 2]; 2],
}

impl Int4Block {
    const ZERO: Int4Block = Int4Block {
        scales: HalfStep([0; TILE_COLUMNS]),
        weights: [[[(WEIGHT_OFFSET << 4 | WEIGHT_OFFSET) as u8; HALF_BLOCK]; TILE_COLUMNS / 2]; 2],
    };

    /// The weight of an output and an input.
    fn weight(&self, output: usize, input: usize) -> f32 {
        let byte = self.weights.as_flattened()[output][input % HALF_BLOCK];
        let half = byte >> (input / HALF_BLOCK * 4) & 15;
        (i32::from(half) - WEIGHT_OFFSET) as f32
    }

    fn scale(&self, output: usize) -> f32 {
        f16::from_bits(self.scales.0[output]).to_f32()
    }
}

/// A matrix `[outputs, inputs]`: 4.5 bits a weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Int4Panels {
    outputs: usize,
    inputs: usize,
    /// Blocks in a panel.
    depth: usize,
    /// Panel by panel, and after them enough room that [`BLOCKS`] can be lent from any on.
    blocks: Vec<Int4Block>,
}

impl Int4Panels {
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        let depth = inputs.div_ceil(BLOCK_INPUTS);
        let blocks = outputs
            .div_ceil(TILE_COLUMNS)
            .checked_mul(depth)
            .and_then(|blocks| blocks.checked_add(BLOCKS - 1));
        assert!(blocks.is_some(), "a matrix of {outputs} × {inputs}");
        Int4Panels {
            outputs,
            inputs,
            depth,
            blocks: vec![Int4Block::ZERO; blocks.unwrap_or(0)],
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

    /// Puts the weights of one output, all of them, at their place.
    pub(crate) fn set(&mut self, output: usize, row: &[f32]) {
        let (first, lane) = (output / TILE_COLUMNS * self.depth, output % TILE_COLUMNS);
        for (block, values) in self.blocks[first..]
            .iter_mut()
            .zip(row.chunks(BLOCK_INPUTS))
        {
            let scale = scale_of(values);
            block.scales.0[lane] = scale.to_bits();
            let scale = scale.to_f32();
            let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
            for (input, value) in values.iter().enumerate() {
                let rounded = (value * inverse).round_ties_even() as i32;
                let weight = (rounded + WEIGHT_OFFSET).clamp(0, 15) as u8;
                let byte = &mut block.weights.as_flattened_mut()[lane][input % HALF_BLOCK];
                let shift = input / HALF_BLOCK * 4;
                *byte = *byte & !(15 << shift) | weight << shift;
            }
        }
    }

    pub(crate) fn unpack(&self, output: usize, row: &mut [f32]) {
        let (first, lane) = (output / TILE_COLUMNS * self.depth, output % TILE_COLUMNS);
        for (values, block) in row.chunks_mut(BLOCK_INPUTS).zip(&self.blocks[first..]) {
            for (input, value) in values.iter_mut().enumerate() {
                *value = block.weight(lane, input) * block.scale(lane);
            }
        }
    }

    /// Blocks in a panel.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// [`BLOCKS`] blocks of the panel from block `block` on. Those beyond its last are not its.
    #[inline(always)]
    #[expect(clippy::expect_used, reason = "the blocks end with room for this")]
    pub(crate) fn blocks(&self, panel: usize, block: usize) -> &[Int4Block; BLOCKS] {
        self.blocks[panel * self.depth + block..]
            .first_chunk()
            .expect("room after the last block")
    }

    /// Widens the panel's inputs `first..first + to.len()` to f32; `first` begins a block.
    pub(crate) fn widen(&self, panel: usize, first: usize, to: &mut [ColumnStep]) {
        let blocks = &self.blocks[panel * self.depth + first / BLOCK_INPUTS..];
        for (to, block) in to.chunks_mut(BLOCK_INPUTS).zip(blocks) {
            let (low, high) = to.split_at_mut(to.len().min(HALF_BLOCK));
            for (output, weights) in block.weights.as_flattened().iter().enumerate() {
                let scale = block.scale(output);
                let number = |half: u8| (i32::from(half) - WEIGHT_OFFSET) as f32 * scale;
                for (step, byte) in low.iter_mut().zip(weights) {
                    step.0[output / 4][output % 4] = number(byte & 15);
                }
                for (step, byte) in high.iter_mut().zip(weights) {
                    step.0[output / 4][output % 4] = number(byte >> 4);
                }
            }
        }
    }
}

/// The scale of a block: so that the number of the largest magnitude becomes −8. No number, where there
/// is something infinite or no number.
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
