//! Weights of four bits and the activations beside them, in the order in which the inner loop reads them.

use half::f16;

use super::LANES;
use super::half::HalfStep;
use super::tile::{ColumnStep, TILE_COLUMNS};

/// Inputs that share a scale.
pub(crate) const BLOCK_INPUTS: usize = 32;

/// Inputs of an output that lie together.
pub(crate) const QUAD: usize = 4;

/// Quads of a block. The low half of a byte is a weight of an even quad, the high half one of the next quad.
pub(crate) const QUADS: usize = BLOCK_INPUTS / QUAD;

/// Number added to a weight, so that it has no sign.
pub(crate) const WEIGHT_OFFSET: i16 = 8;

/// Pairs of quads of a block.
pub(crate) const PAIRS: usize = QUADS / 2;

/// A block of activations, everything in every lane.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(16))]
pub(crate) struct Int4Input {
    pub(crate) values: [[[i8; QUAD]; LANES]; QUADS],
    /// First summands of the first two and of the last two of each quad, by turns: they make up for
    /// [`WEIGHT_OFFSET`], which weights have added.
    pub(crate) correction: [i16; 2 * LANES],
    pub(crate) scale: [f32; LANES],
}

/// 32 inputs of [`TILE_COLUMNS`] outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub(crate) struct Int4Block {
    pub(crate) scales: HalfStep,
    /// Weights of two fours of outputs, two quads of inputs at a time, each with [`WEIGHT_OFFSET`] added.
    pub(crate) weights: [[[[u8; QUAD]; LANES]; PAIRS]; TILE_COLUMNS / LANES],
}

/// Returns the place of a weight in a block: its pair of quads, its byte there, and its shift in the byte.
pub(crate) fn place_of(input: usize) -> (usize, usize, usize) {
    let quad = input / QUAD;
    (quad / 2, input % QUAD, 4 * (quad % 2))
}

impl Int4Block {
    pub(crate) const ZERO: Int4Block = {
        let byte = (WEIGHT_OFFSET << 4 | WEIGHT_OFFSET) as u8;
        Int4Block {
            scales: HalfStep([0; TILE_COLUMNS]),
            weights: [[[[byte; QUAD]; LANES]; PAIRS]; TILE_COLUMNS / LANES],
        }
    };

    /// Returns the weight of an output and an input.
    pub(crate) fn weight(&self, output: usize, input: usize) -> f32 {
        let (pair, place, shift) = place_of(input);
        let byte = self.weights[output / LANES][pair][output % LANES][place];
        f32::from(i16::from(byte >> shift & 15) - WEIGHT_OFFSET)
    }

    pub(crate) fn set(&mut self, output: usize, input: usize, weight: u8) {
        let (pair, place, shift) = place_of(input);
        let byte = &mut self.weights[output / LANES][pair][output % LANES][place];
        *byte = *byte & !(15 << shift) | weight << shift;
    }

    pub(crate) fn scale(&self, output: usize) -> f32 {
        f16::from_bits(self.scales.0[output]).to_f32()
    }

    /// `sums += x·w`, number by number.
    pub(crate) fn accumulate(&self, x: &Int4Input, sums: &mut ColumnStep) {
        for (output, sum) in sums.0.as_flattened_mut().iter_mut().enumerate() {
            let weights = &self.weights[output / LANES];
            let mut dot = i32::from(x.correction[0]) + i32::from(x.correction[1]);
            for (x, weights) in x.values.as_chunks::<2>().0.iter().zip(weights) {
                for (input, byte) in weights[output % LANES].into_iter().enumerate() {
                    dot += i32::from(x[0][0][input]) * i32::from(byte & 15);
                    dot += i32::from(x[1][0][input]) * i32::from(byte >> 4);
                }
            }
            *sum += dot as f32 * (self.scale(output) * x.scale[0]);
        }
    }
}
