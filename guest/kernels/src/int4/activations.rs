//! One row of activations, rounded to bytes in blocks.

use super::{BLOCK_INPUTS, BLOCKS, WEIGHT_OFFSET};
use crate::int8::{MOST_ACTIVATION, scale_of};

/// A block of activations.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(16))]
pub(crate) struct Int4Input {
    pub(crate) values: [[i8; BLOCK_INPUTS / 2]; 2],
    /// What the sum begins with, because weights have [`WEIGHT_OFFSET`] added: in one lane.
    pub(crate) correction: [i32; 4],
    /// The scale, in every lane.
    pub(crate) scale: [f32; 4],
}

impl Int4Input {
    const ZERO: Int4Input = Int4Input {
        values: [[0; BLOCK_INPUTS / 2]; 2],
        correction: [0; 4],
        scale: [0.0; 4],
    };
}

/// A row of activations.
#[derive(Debug, Default)]
pub(crate) struct Int4Inputs {
    /// Block by block, and after them enough room that [`BLOCKS`] can be lent from any on.
    blocks: Vec<Int4Input>,
}

impl Int4Inputs {
    /// Rounds a row.
    pub(crate) fn pack(&mut self, x: &[f32]) {
        self.blocks.clear();
        for values in x.chunks(BLOCK_INPUTS) {
            let (scale, inverse) = scale_of(values, MOST_ACTIVATION);
            let mut block = Int4Input::ZERO;
            block.scale = [scale; 4];
            let rounded = block.values.as_flattened_mut().iter_mut();
            for (rounded, value) in rounded.zip(values) {
                *rounded = (value * inverse).round_ties_even() as i8;
                block.correction[0] -= WEIGHT_OFFSET * i32::from(*rounded);
            }
            self.blocks.push(block);
        }
        self.blocks
            .resize(self.blocks.len() + BLOCKS - 1, Int4Input::ZERO);
    }

    /// [`BLOCKS`] blocks from block `block` on. Those beyond the last are zeros.
    #[inline(always)]
    #[expect(clippy::expect_used, reason = "the blocks end with room for this")]
    pub(crate) fn blocks(&self, block: usize) -> &[Int4Input; BLOCKS] {
        self.blocks[block..]
            .first_chunk()
            .expect("room after the last block")
    }
}
