//! Matrices as bytes, with one scale for each output. Input rows become bytes too.
//!
//! A row becomes two rows of bytes: the second holds the rounding error of the first. With one row of bytes, MiniLM's
//! vectors have a cosine of at least 0.986 to the exact ones, because the scale follows a row's largest number. With
//! two only the weights' rounding is lost (0.9965).

use std::ops::Range;

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix, QuantParams};
use rten_tensor::NdTensorView;

use crate::rounding::{SHIFT, inverse, largest};
use crate::rows::Rows;
use crate::weights::Weights;

/// Value of an output's largest weight.
const LARGEST: f32 = 127.0;

thread_local! {
    static EXECUTOR: GemmExecutor<u8, i8, i32> = GemmExecutor::default();
}

/// One panel.
pub(crate) struct Int8Panel {
    weights: PackedBMatrix<i8>,
    /// Value of one step of a weight, `[outputs]`.
    scales: Vec<f32>,
}

impl Int8Panel {
    pub(crate) fn pack(weights: &Weights, outputs: Range<usize>, inputs: usize) -> Self {
        let rows = weights.rows(outputs.clone());
        let mut rounded = Vec::with_capacity(rows.len());
        let mut scales = Vec::with_capacity(outputs.len());
        for row in rows.chunks_exact(inputs) {
            let scale = largest(row) / LARGEST;
            // A weight that is not finite becomes 0 here. Its output's scale is NaN, so the product is too.
            let inverse = inverse(scale);
            rounded.extend(row.iter().map(|w| (w * inverse).round() as i8));
            scales.push(scale);
        }
        let matrix = NdTensorView::from_data([outputs.len(), inputs], &rounded[..]);
        Self {
            weights: EXECUTOR.with(|executor| executor.prepack_b(matrix.transposed())),
            scales,
        }
    }

    /// Computes `y = x·wᵀ + b`, `[rows, outputs]`.
    pub(crate) fn multiply(
        &self,
        x: Rows<'_>,
        bias: &[f32],
        y: &mut [f32],
    ) -> wasmtime::Result<()> {
        EXECUTOR.with(|executor| {
            // Some processors keep the sum of two products in 16 bits. Half the range of inputs then avoids saturation.
            let zero = if executor.may_saturate() { 64 } else { 128 };
            let x = RoundedRows::new(x, zero);
            let (outputs, rows) = (bias.len(), x.scales.len());
            let mut sums = vec![0; rows * outputs];
            let a = NdTensorView::from_data([rows, x.length], &x.values[..]);
            let zeros = vec![zero; rows];
            let options = GemmOptions {
                a_quant: Some(QuantParams { zero_point: &zeros }),
                ..GemmOptions::default()
            };
            let w = GemmInputB::Packed(&self.weights);
            executor
                .gemm(&mut sums, GemmInputA::Unpacked(a), w, options)
                .map_err(|error| wasmtime::Error::msg(format!("the kernel: {error}")))?;
            let pairs = x.scales.as_chunks().0.iter();
            let sums = sums.chunks_exact(2 * outputs);
            for ((y, sums), [first, second]) in y.chunks_exact_mut(outputs).zip(sums).zip(pairs) {
                let sums = sums[..outputs].iter().zip(&sums[outputs..]);
                let weights = self.scales.iter().zip(bias);
                for ((y, (a, b)), (scale, bias)) in y.iter_mut().zip(sums).zip(weights) {
                    *y = (*a as f32 * first + *b as f32 * second) * scale + bias;
                }
            }
            Ok(())
        })
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        (self.weights.clone().into_vec().len() + self.scales.len()) * 4
    }
}

/// Rows as bytes: two consecutive rows for each, with scales of their own.
struct RoundedRows {
    length: usize,
    /// `[2 · rows, length]`.
    values: Vec<u8>,
    /// Value of one step, `[2 · rows]`. NaN for a row with a number that is not finite.
    scales: Vec<f32>,
}

impl RoundedRows {
    /// Rounds rows, with `zero` for 0.
    fn new(rows: Rows<'_>, zero: u8) -> Self {
        let mut rounded = Self {
            length: rows.length(),
            values: Vec::with_capacity(2 * rows.values().len()),
            scales: Vec::with_capacity(2 * rows.count()),
        };
        let mut left = vec![0.0; rows.length()];
        for row in rows.iter() {
            left.copy_from_slice(row);
            rounded.add(&mut left, zero);
            rounded.add(&mut left, zero);
        }
        rounded
    }

    /// Appends the row as bytes, and leaves the rounding error in `row`.
    fn add(&mut self, row: &mut [f32], zero: u8) {
        let scale = largest(row) / f32::from(zero - 1);
        let inverse = inverse(scale);
        self.values.extend(row.iter_mut().map(|x| {
            let shifted = *x * inverse + SHIFT;
            *x -= (shifted - SHIFT) * scale;
            (shifted.to_bits() as u8).wrapping_add(zero)
        }));
        self.scales.push(scale);
    }
}
