//! Matrices kept as bytes, with one scale an output; what is multiplied becomes bytes row by row.

use std::ops::Range;

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix, QuantParams};
use rten_tensor::NdTensorView;

use super::rows::Rows;
use super::weights::Weights;

/// The largest weight becomes this.
const LARGEST: f32 = 127.0;

thread_local! {
    static EXECUTOR: GemmExecutor<u8, i8, i32> = GemmExecutor::default();
}

/// One panel.
pub(super) struct Int8Panel {
    weights: PackedBMatrix<i8>,
    /// What one step of a weight is worth, `[outputs]`.
    scales: Vec<f32>,
}

impl Int8Panel {
    pub(super) fn pack(weights: &Weights, outputs: Range<usize>, inputs: usize) -> Self {
        let rows = weights.rows(outputs.clone());
        let mut rounded = Vec::with_capacity(rows.len());
        let mut scales = Vec::with_capacity(outputs.len());
        for row in rows.chunks_exact(inputs) {
            let scale = largest(row) / LARGEST;
            // What is not finite becomes 0 here, and no number by its scale.
            let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
            rounded.extend(row.iter().map(|w| (w * inverse).round() as i8));
            scales.push(scale);
        }
        let matrix = NdTensorView::from_data([outputs.len(), inputs], &rounded[..]);
        Self {
            weights: EXECUTOR.with(|executor| executor.prepack_b(matrix.transposed())),
            scales,
        }
    }

    /// `y = x·wᵀ + b`, `[rows, outputs]`.
    pub(super) fn multiply(
        &self,
        x: Rows<'_>,
        bias: &[f32],
        y: &mut [f32],
    ) -> wasmtime::Result<()> {
        EXECUTOR.with(|executor| {
            // Where sums of two products are kept in 16 bits, so much less may come in.
            let zero = if executor.may_saturate() { 64 } else { 128 };
            let x = RoundedRows::new(x, zero);
            let mut sums = vec![0; y.len()];
            let a = NdTensorView::from_data([x.scales.len(), x.length], &x.values[..]);
            let zeros = vec![zero; x.scales.len()];
            let options = GemmOptions {
                a_quant: Some(QuantParams { zero_point: &zeros }),
                ..GemmOptions::default()
            };
            let w = GemmInputB::Packed(&self.weights);
            executor
                .gemm(&mut sums, GemmInputA::Unpacked(a), w, options)
                .map_err(|error| wasmtime::Error::msg(format!("the kernel: {error}")))?;
            let rows = y.chunks_exact_mut(bias.len());
            let sums = sums.chunks_exact(bias.len());
            for ((y, sums), x_scale) in rows.zip(sums).zip(&x.scales) {
                let weights = self.scales.iter().zip(bias);
                for ((y, sum), (scale, bias)) in y.iter_mut().zip(sums).zip(weights) {
                    *y = *sum as f32 * (x_scale * scale) + bias;
                }
            }
            Ok(())
        })
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        (self.weights.clone().into_vec().len() + self.scales.len()) * 4
    }
}

/// Rows as bytes, each with a scale of its own.
struct RoundedRows {
    length: usize,
    values: Vec<u8>,
    /// What one step is worth, `[rows]`: no number for a row that has a number that is infinite or none.
    scales: Vec<f32>,
}

impl RoundedRows {
    /// `zero` stands for 0.
    fn new(rows: Rows<'_>, zero: u8) -> Self {
        let mut values = Vec::with_capacity(rows.values().len());
        let mut scales = Vec::with_capacity(rows.count());
        let most = f32::from(zero - 1);
        for row in rows.iter() {
            let scale = largest(row) / most;
            let inverse = if scale > 0.0 { scale.recip() } else { 0.0 };
            let zero = f32::from(zero);
            values.extend(
                row.iter()
                    .map(|x| ((x * inverse).round_ties_even() + zero) as u8),
            );
            scales.push(scale);
        }
        Self {
            length: rows.length(),
            values,
            scales,
        }
    }
}

/// The largest absolute value; no number when one of them is infinite or none.
fn largest(values: &[f32]) -> f32 {
    let largest = values
        .iter()
        .fold(0.0_f32, |largest, x| largest.max(x.abs()));
    // `max` passes over what is no number; so does not this.
    let poison: f32 = values.iter().map(|x| x * 0.0).sum();
    largest + poison
}
