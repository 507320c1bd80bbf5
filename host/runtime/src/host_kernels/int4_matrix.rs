//! Matrices kept in four bits, with one scale for a block of 32 inputs of an output.

use std::mem::MaybeUninit;
use std::ops::Range;

use rten_gemm::{BlockQuantizedGemm, BlockQuantizedMatrix, ComputeMode, GemmInputB};
use rten_simd::f16;
use rten_tensor::{Contiguous, NdTensorView};

use super::f32_matrix;
use super::layer_spec::INT4_BLOCK;
use super::rows::Rows;
use super::weights::Weights;

/// What stands for 0.
const ZERO: f32 = 8.0;

/// Up to so many rows are multiplied one by one; for more of them a panel is widened once.
const FEW_ROWS: usize = 4;

/// One panel.
pub(super) struct Int4Panel {
    outputs: usize,
    /// Of each output.
    blocks: usize,
    /// `[outputs, blocks, 16]`, the lower half of a byte first.
    weights: Vec<u8>,
    /// What one step of a weight is worth, `[outputs, blocks]`: binary16, as the format has it, and widened
    /// as the kernels want it.
    scales: Vec<f32>,
}

impl Int4Panel {
    pub(super) fn pack(weights: &Weights, outputs: Range<usize>, inputs: usize) -> Self {
        let blocks = inputs.div_ceil(INT4_BLOCK);
        let mut panel = Self {
            outputs: outputs.len(),
            blocks,
            weights: Vec::with_capacity(outputs.len() * blocks * INT4_BLOCK / 2),
            scales: Vec::with_capacity(outputs.len() * blocks),
        };
        for row in weights.rows(outputs).chunks_exact(inputs) {
            for block in row.chunks(INT4_BLOCK) {
                panel.add(block);
            }
        }
        panel
    }

    /// The weight that is farthest from 0 becomes -8, the one end that has no counterpart, whatever its
    /// sign: the scale has the other.
    fn add(&mut self, block: &[f32]) {
        let farthest = block.iter().copied().fold(0.0_f32, |farthest, w| {
            if w.abs() > farthest.abs() {
                w
            } else {
                farthest
            }
        });
        let poison: f32 = block.iter().map(|w| w * 0.0).sum();
        let scale = f16::from_f32(farthest / -ZERO + poison).to_f32();
        let inverse = if scale == 0.0 { 0.0 } else { scale.recip() };
        // What is not finite becomes 0 here, and no number by its scale.
        let rounded = |w: f32| ((w * inverse).round() + ZERO).clamp(0.0, 15.0) as u8;
        let mut padded = [0.0; INT4_BLOCK];
        padded[..block.len()].copy_from_slice(block);
        let pairs = padded.as_chunks().0.iter();
        self.weights
            .extend(pairs.map(|[low, high]| rounded(*low) | rounded(*high) << 4));
        self.scales.push(scale);
    }

    /// `y = x·wᵀ + b`, `[rows, outputs]`.
    pub(super) fn multiply(
        &self,
        x: Rows<'_>,
        bias: &[f32],
        y: &mut [f32],
    ) -> wasmtime::Result<()> {
        let padded;
        let x = match x.length().is_multiple_of(INT4_BLOCK) {
            true => x,
            false => {
                padded = pad(x, self.blocks * INT4_BLOCK);
                Rows::new(&padded, self.blocks * INT4_BLOCK)
            }
        };
        if x.count() > FEW_ROWS {
            let w = GemmInputB::BlockQuantized(self.matrix()?);
            return f32_matrix::multiply(x, w, bias, y);
        }
        let mode = compute_mode(x);
        // One row a product: only so are its numbers rounded.
        let x = NdTensorView::from_data([x.count(), 1, x.length()], x.values());
        let mut products = vec![MaybeUninit::new(0.0); y.len()];
        let products = BlockQuantizedGemm::new()
            .with_compute(mode)
            .batched_gemm_uninit(&mut products, x, self.matrix()?)
            .map_err(failed)?;
        for (y, product) in y
            .chunks_exact_mut(bias.len())
            .zip(products.chunks_exact(bias.len()))
        {
            for ((y, product), bias) in y.iter_mut().zip(product).zip(bias) {
                *y = product + bias;
            }
        }
        Ok(())
    }

    fn matrix(&self) -> wasmtime::Result<BlockQuantizedMatrix<'_, f32>> {
        let weights = [self.outputs, self.blocks, INT4_BLOCK / 2];
        let weights = Contiguous::new(NdTensorView::from_data(weights, &self.weights[..]));
        let scales = [self.outputs, self.blocks];
        let scales = Contiguous::new(NdTensorView::from_data(scales, &self.scales[..]));
        match (weights, scales) {
            (Some(weights), Some(scales)) => {
                BlockQuantizedMatrix::new(weights, scales, 4).map_err(failed)
            }
            _ => Err(wasmtime::Error::msg("a matrix has gaps")),
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.weights.len() + self.scales.len() * 4
    }
}

/// Rounded to bytes where the processor multiplies those: two and a half times as fast, and what is lost is a
/// twentieth of what four bits lose. What is infinite or no number cannot be rounded.
fn compute_mode(x: Rows<'_>) -> ComputeMode {
    let can_round = BlockQuantizedGemm::is_compute_optimized(ComputeMode::Int8)
        && x.values().iter().all(|x| x.is_finite());
    match can_round {
        true => ComputeMode::Int8,
        false => ComputeMode::Float,
    }
}

fn failed(error: impl std::fmt::Debug) -> wasmtime::Error {
    wasmtime::Error::msg(format!("the kernel: {error:?}"))
}

/// The rows with zeros behind them.
fn pad(rows: Rows<'_>, length: usize) -> Vec<f32> {
    let mut padded = Vec::with_capacity(rows.count() * length);
    for row in rows.iter() {
        padded.extend_from_slice(row);
        padded.resize(padded.len().next_multiple_of(length), 0.0);
    }
    padded
}
