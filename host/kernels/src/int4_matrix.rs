//! Matrices in four bits, with one scale for a block of 32 inputs of an output.

use std::mem::MaybeUninit;
use std::ops::Range;

use ampoule_sandbox::imports::kernels::INT4_BLOCK;
use rten_gemm::GemmInputB;
use rten_simd::{SimdOp as _, f16};
use rten_tensor::NdTensorView;
use rten_vecmath::F16ToF32;

use crate::f32_matrix;
use crate::int4_product::{
    BLOCK_WORDS, GROUP, Int4Product, OFFSET, RoundedRow, WEIGHT, WORD_WEIGHTS,
};
use crate::rows::Rows;
use crate::weights::Weights;

/// One panel. Outputs are padded to groups, and inputs to blocks.
pub(crate) struct Int4Panel {
    inputs: usize,
    outputs: usize,
    /// Blocks of one output.
    blocks: usize,
    /// `[groups, blocks, BLOCK_WORDS, GROUP]`, the first input of a word in its lowest bits.
    words: Vec<i16>,
    /// Value of one step of a weight, `[groups, blocks, GROUP]`.
    scales: Vec<f16>,
}

impl Int4Panel {
    pub(crate) fn pack(weights: &Weights, outputs: Range<usize>, inputs: usize) -> Self {
        let (blocks, groups) = (inputs.div_ceil(INT4_BLOCK), outputs.len().div_ceil(GROUP));
        let mut panel = Self {
            inputs,
            outputs: outputs.len(),
            blocks,
            words: vec![0; groups * blocks * BLOCK_WORDS * GROUP],
            scales: vec![f16::from_f32(0.0); groups * blocks * GROUP],
        };
        for (output, row) in weights.rows(outputs).chunks_exact(inputs).enumerate() {
            for (block, weights) in row.chunks(INT4_BLOCK).enumerate() {
                panel.set(output, block, weights);
            }
        }
        panel
    }

    /// Rounds one block. The weight that is farthest from 0 becomes -8, which has no positive counterpart, and the
    /// scale takes the opposite sign of the weight.
    fn set(&mut self, output: usize, block: usize, weights: &[f32]) {
        let farthest = weights.iter().copied().fold(0.0_f32, |farthest, w| {
            if w.abs() > farthest.abs() {
                w
            } else {
                farthest
            }
        });
        let poison: f32 = weights.iter().map(|w| w * 0.0).sum();
        let scale = f16::from_f32(farthest / -8.0 + poison);
        let step = scale.to_f32();
        let inverse = if step == 0.0 { 0.0 } else { step.recip() };
        // A weight that is not finite becomes 0 here. Its block's scale is NaN, so the product is too.
        let rounded = |w: f32| ((w * inverse).round() as i16 + OFFSET).clamp(0, WEIGHT);
        let mut padded = [0.0; INT4_BLOCK];
        padded[..weights.len()].copy_from_slice(weights);

        let place = output / GROUP * self.blocks + block;
        let lane = output % GROUP;
        self.scales[place * GROUP + lane] = scale;
        let words = self.words[place * BLOCK_WORDS * GROUP + lane..].iter_mut();
        for (word, weights) in words.step_by(GROUP).zip(padded.as_chunks().0) {
            let [first, second, third, last] = weights.map(rounded);
            *word = first | second << 4 | third << 8 | last << 12;
        }
    }

    /// Computes `y = x·wᵀ + b`, `[rows, outputs]`, with the rows as bytes if there are any.
    pub(crate) fn multiply(
        &self,
        x: Rows<'_>,
        rounded: &[RoundedRow],
        bias: &[f32],
        y: &mut [f32],
    ) -> wasmtime::Result<()> {
        if rounded.is_empty() {
            return self.multiply_widened(x, bias, y);
        }
        for (row, y) in rounded.iter().zip(y.chunks_exact_mut(bias.len())) {
            let product = Int4Product {
                row,
                words: &self.words,
                scales: &self.scales,
                bias,
                y,
            };
            product.dispatch();
        }
        Ok(())
    }

    fn multiply_widened(&self, x: Rows<'_>, bias: &[f32], y: &mut [f32]) -> wasmtime::Result<()> {
        let widened = self.widened();
        let width = self.outputs.next_multiple_of(GROUP);
        let w = NdTensorView::from_data([self.inputs, width], &widened[..]);
        let w = w.slice((.., ..self.outputs));
        f32_matrix::multiply(x, GemmInputB::Unpacked(w), bias, y)
    }

    /// Returns the weights as binary32, `[inputs, outputs]`, with the outputs padded to groups.
    fn widened(&self) -> Vec<f32> {
        let mut scales = vec![MaybeUninit::new(0.0); self.scales.len()];
        let scales = &*F16ToF32::new(&self.scales, &mut scales).dispatch();
        let width = self.outputs.next_multiple_of(GROUP);
        let mut widened = vec![0.0; self.inputs * width];
        let groups = self.words.chunks_exact(self.blocks * BLOCK_WORDS * GROUP);
        let scales = scales.chunks_exact(self.blocks * GROUP);
        for (group, (words, scales)) in groups.zip(scales).enumerate() {
            let words = words.as_chunks::<GROUP>().0.iter();
            let scales = scales.as_chunks::<GROUP>().0.iter();
            let scales = scales.flat_map(|scales| std::iter::repeat_n(scales, BLOCK_WORDS));
            let inputs = widened.chunks_mut(WORD_WEIGHTS * width);
            for ((words, scales), inputs) in words.zip(scales).zip(inputs) {
                for (place, input) in inputs.chunks_exact_mut(width).enumerate() {
                    let weights = input[group * GROUP..].iter_mut().zip(words).zip(scales);
                    for ((weight, word), scale) in weights {
                        let steps = (word >> (4 * place) & WEIGHT) - OFFSET;
                        *weight = f32::from(steps) * scale;
                    }
                }
            }
        }
        widened
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        2 * (self.words.len() + self.scales.len())
    }
}
