//! Matrices in binary32, in the order in which the kernels read them.

use std::ops::Range;

use rten_gemm::{BiasVector, GemmInputB, PackedBMatrix};
use rten_tensor::NdTensorView;

use crate::f32_product::{self, Options};
use crate::rows::Rows;
use crate::weights::Weights;

/// One panel: some outputs, with all of their inputs.
pub(crate) struct F32Panel(PackedBMatrix<f32>);

impl F32Panel {
    pub(crate) fn pack(weights: &Weights, outputs: Range<usize>, inputs: usize) -> Self {
        let rows = weights.rows(outputs.clone());
        let matrix = NdTensorView::from_data([outputs.len(), inputs], &rows[..]);
        Self(f32_product::pack(matrix.transposed()))
    }

    /// Computes `y = x·wᵀ + b`, `[rows, outputs]`.
    pub(crate) fn multiply(
        &self,
        x: Rows<'_>,
        bias: &[f32],
        y: &mut [f32],
    ) -> wasmtime::Result<()> {
        multiply(x, GemmInputB::Packed(&self.0), bias, y)
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.0.clone().into_vec().len() * 4
    }
}

/// Computes `y = x·w + b`, with `w` packed or not.
pub(crate) fn multiply(
    x: Rows<'_>,
    w: GemmInputB<'_, f32>,
    bias: &[f32],
    y: &mut [f32],
) -> wasmtime::Result<()> {
    let options = Options {
        bias: Some(BiasVector::Row(bias)),
        ..Options::default()
    };
    f32_product::product(x.view(), w, options, y)
}
