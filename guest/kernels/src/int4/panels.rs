//! Weights of four bits, in the order in which the inner loop reads them.

use std::ops::Range;

use half::f16;

use super::{BLOCK_INPUTS, Int4Input, PAIRS, QUAD, WEIGHT_OFFSET};
use crate::half_panels::HalfStep;
use crate::simd::{Kernels as _, LANES, Native};
use crate::tile::{ColumnStep, TILE_COLUMNS};

/// 32 inputs of [`TILE_COLUMNS`] outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub(crate) struct Int4Block {
    pub(crate) scales: HalfStep,
    /// Of two fours of outputs, two quads of inputs at a time, each weight with [`WEIGHT_OFFSET`] added.
    pub(crate) weights: [[[[u8; QUAD]; LANES]; PAIRS]; TILE_COLUMNS / LANES],
}

/// Where a weight of a block lies: its byte, and how far it is shifted there.
fn place_of(input: usize) -> (usize, usize, usize) {
    let quad = input / QUAD;
    (quad / 2, input % QUAD, 4 * (quad % 2))
}

impl Int4Block {
    const ZERO: Int4Block = {
        let byte = (WEIGHT_OFFSET << 4 | WEIGHT_OFFSET) as u8;
        Int4Block {
            scales: HalfStep([0; TILE_COLUMNS]),
            weights: [[[[byte; QUAD]; LANES]; PAIRS]; TILE_COLUMNS / LANES],
        }
    };

    /// The weight of an output and an input.
    fn weight(&self, output: usize, input: usize) -> f32 {
        let (pair, place, shift) = place_of(input);
        let byte = self.weights[output / LANES][pair][output % LANES][place];
        f32::from(i16::from(byte >> shift & 15) - WEIGHT_OFFSET)
    }

    fn set(&mut self, output: usize, input: usize, weight: u8) {
        let (pair, place, shift) = place_of(input);
        let byte = &mut self.weights[output / LANES][pair][output % LANES][place];
        *byte = *byte & !(15 << shift) | weight << shift;
    }

    fn scale(&self, output: usize) -> f32 {
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

/// A matrix `[outputs, inputs]`: 4.5 bits a weight.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Int4Panels {
    outputs: usize,
    inputs: usize,
    /// Blocks in a panel.
    depth: usize,
    /// Panel by panel.
    blocks: Vec<Int4Block>,
    /// Whether all scales are.
    is_finite: bool,
}

impl Int4Panels {
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        let depth = inputs.div_ceil(BLOCK_INPUTS);
        let blocks = outputs.div_ceil(TILE_COLUMNS).checked_mul(depth);
        assert!(blocks.is_some(), "a matrix of {outputs} × {inputs}");
        Int4Panels {
            outputs,
            inputs,
            depth,
            blocks: vec![Int4Block::ZERO; blocks.unwrap_or(0)],
            is_finite: true,
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
        let (first, lane) = (output / TILE_COLUMNS * self.depth, output % TILE_COLUMNS);
        for (values, block) in row.chunks_mut(BLOCK_INPUTS).zip(&self.blocks[first..]) {
            for (input, value) in values.iter_mut().enumerate() {
                *value = block.weight(lane, input) * block.scale(lane);
            }
        }
    }

    /// Whether a panel's scales are finite.
    pub(crate) fn is_finite(&self, panel: usize) -> bool {
        let is_finite = |scale: &u16| f16::from_bits(*scale).is_finite();
        let mut blocks = self.panel(panel).iter();
        self.is_finite || blocks.all(|block| block.scales.0.iter().all(is_finite))
    }

    /// The blocks of a panel.
    pub(crate) fn panel(&self, panel: usize) -> &[Int4Block] {
        &self.blocks[panel * self.depth..(panel + 1) * self.depth]
    }

    /// Widens the steps of these panels, one after another, for the inputs of the block that begins with `first`. Panels
    /// after the last one are zeros.
    pub(crate) fn widen(&self, panels: Range<usize>, first: usize, to: &mut [ColumnStep]) {
        let steps = BLOCK_INPUTS.min(self.inputs - first);
        let there = self.blocks.len() / self.depth.max(1);
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
