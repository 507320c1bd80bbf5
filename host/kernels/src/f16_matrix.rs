//! Matrices in binary16, widened as they are read.

use std::mem::MaybeUninit;
use std::ops::Range;

use rten_gemm::GemmInputB;
use rten_simd::ops::{BitOps as _, Extend as _, NumOps as _};
use rten_simd::{Isa, SimdOp, f16};
use rten_tensor::NdTensorView;
use rten_vecmath::F16ToF32;

use crate::f32_matrix;
use crate::rows::Rows;
use crate::weights::Weights;

/// Most rows that are multiplied one by one, with each weight widened for each row. For more rows a panel is widened
/// once.
const FEW_ROWS: usize = 4;

/// One panel: `[outputs, inputs]`.
pub(crate) struct F16Panel(Vec<f16>);

impl F16Panel {
    pub(crate) fn pack(weights: &Weights, outputs: Range<usize>) -> Self {
        Self(
            weights
                .rows(outputs)
                .into_iter()
                .map(f16::from_f32)
                .collect(),
        )
    }

    /// Computes `y = x·wᵀ + b`, `[rows, outputs]`.
    pub(crate) fn multiply(
        &self,
        x: Rows<'_>,
        bias: &[f32],
        y: &mut [f32],
    ) -> wasmtime::Result<()> {
        if x.count() <= FEW_ROWS {
            for (x, y) in x.iter().zip(y.chunks_exact_mut(bias.len())) {
                let w = &self.0;
                WidenedDots { x, w, bias, y }.dispatch();
            }
            return Ok(());
        }
        let mut widened = vec![MaybeUninit::new(0.0); self.0.len()];
        let widened = F16ToF32::new(&self.0, &mut widened).dispatch();
        let w = NdTensorView::from_data([bias.len(), x.length()], &*widened);
        f32_matrix::multiply(x, GemmInputB::Unpacked(w.transposed()), bias, y)
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.0.len() * 2
    }
}

/// Product of one row: `y[o] = Σ x[i]·w[o, i] + b[o]`.
struct WidenedDots<'a> {
    x: &'a [f32],
    w: &'a [f16],
    bias: &'a [f32],
    y: &'a mut [f32],
}

impl SimdOp for WidenedDots<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (halves, floats) = (isa.f16(), isa.f32());
        let (lanes, step) = (floats.len(), halves.len());
        let rows = self.w.chunks_exact(self.x.len());
        for ((w, bias), y) in rows.zip(self.bias).zip(self.y) {
            // Two sums of each half, so that an addition does not wait for the one before.
            let mut sums = [floats.zero(); 4];
            let (mut x_steps, mut w_steps) =
                (self.x.chunks_exact(2 * step), w.chunks_exact(2 * step));
            for (x, w) in x_steps.by_ref().zip(w_steps.by_ref()) {
                for half in 0..2 {
                    let w = halves.load(&w[half * step..]);
                    let x = &x[half * step..];
                    let low = &mut sums[2 * half];
                    *low = floats.mul_add(floats.load(x), halves.extend_low(w), *low);
                    let high = &mut sums[2 * half + 1];
                    *high = floats.mul_add(floats.load(&x[lanes..]), halves.extend_high(w), *high);
                }
            }
            let [a, b, c, d] = sums;
            let sum = floats.sum(floats.add(floats.add(a, b), floats.add(c, d)));
            let rest = x_steps.remainder().iter().zip(w_steps.remainder());
            *y = bias + rest.fold(sum, |sum, (x, w)| sum + x * w.to_f32());
        }
    }
}
