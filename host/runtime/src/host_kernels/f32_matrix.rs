//! Matrices kept as binary32, in the order in which the kernels read them.

use std::ops::Range;

use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;

use super::rows::Rows;
use super::weights::Weights;

thread_local! {
    /// What was found to be the best that this processor can do.
    static EXECUTOR: GemmExecutor<f32, f32, f32> = GemmExecutor::default();
}

/// One panel: some outputs with all of their inputs.
pub(super) struct F32Panel(PackedBMatrix<f32>);

impl F32Panel {
    pub(super) fn pack(weights: &Weights, outputs: Range<usize>, inputs: usize) -> Self {
        let rows = weights.rows(outputs.clone());
        let matrix = NdTensorView::from_data([outputs.len(), inputs], &rows[..]);
        Self(EXECUTOR.with(|executor| executor.prepack_b(matrix.transposed())))
    }

    /// `y = x·wᵀ + b`, `[rows, outputs]`.
    pub(super) fn multiply(
        &self,
        x: Rows<'_>,
        bias: &[f32],
        y: &mut [f32],
    ) -> wasmtime::Result<()> {
        multiply(x, GemmInputB::Packed(&self.0), bias, y)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.0.clone().into_vec().len() * 4
    }
}

/// `y = x·w + b`, whatever form `w` has.
pub(super) fn multiply(
    x: Rows<'_>,
    w: GemmInputB<'_, f32>,
    bias: &[f32],
    y: &mut [f32],
) -> wasmtime::Result<()> {
    let a = NdTensorView::from_data([x.count(), x.length()], x.values());
    let options = GemmOptions {
        bias: Some(BiasVector::Row(bias)),
        ..GemmOptions::default()
    };
    EXECUTOR
        .with(|executor| executor.gemm(y, GemmInputA::Unpacked(a), w, options))
        .map_err(|error| wasmtime::Error::msg(format!("the kernel: {error}")))
}
