//! Products of matrices in binary32.

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::{Matrix, NdTensorView};

thread_local! {
    /// The fastest kernel of this processor.
    static EXECUTOR: GemmExecutor<f32, f32, f32> = GemmExecutor::default();
}

pub(crate) type Options<'a> = GemmOptions<'a, f32, f32, f32>;

/// Packs a matrix in the order in which the kernels read it.
pub(crate) fn pack(matrix: Matrix<'_, f32>) -> PackedBMatrix<f32> {
    EXECUTOR.with(|executor| executor.prepack_b(matrix))
}

/// Computes `y = a·b` with the options' scale and bias. `b` may be packed or not.
pub(crate) fn product(
    a: NdTensorView<'_, f32, 2>,
    b: GemmInputB<'_, f32>,
    options: Options<'_>,
    y: &mut [f32],
) -> wasmtime::Result<()> {
    EXECUTOR
        .with(|executor| executor.gemm(y, GemmInputA::Unpacked(a), b, options))
        .map_err(|error| wasmtime::Error::msg(format!("the kernel: {error}")))
}
