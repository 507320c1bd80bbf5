//! Wrong shapes are bugs of the caller, and are refused.

use ampoule_kernels::{
    AttentionInputs, AttentionScratch, ConvScratch, Convolution, Epilogue, MatrixMut, MatrixRef,
    PackedMatrix, PlaneShape, Precision, Scratch, Visibility, attention, conv2d, linear,
};

/// A matrix of zeros.
fn packed(outputs: usize, inputs: usize) -> PackedMatrix {
    let mut packer = PackedMatrix::packer(Precision::F32, outputs, inputs);
    packer.push(&vec![0.0; outputs * inputs]);
    packer.finish()
}

#[test]
#[should_panic(expected = "more queries than keys")]
fn a_causal_query_without_a_key_of_its_own_is_refused() {
    let numbers = [0.0; 8];
    attention(
        AttentionInputs {
            queries: MatrixRef::new(&numbers, 2, 4),
            keys: MatrixRef::new(&numbers, 1, 4),
            values: MatrixRef::new(&numbers, 1, 4),
        },
        1,
        Visibility::Causal,
        &mut MatrixMut::new(&mut [0.0; 8], 2, 4),
        &mut AttentionScratch::default(),
    );
}

#[test]
#[should_panic(expected = "numbers in a patch")]
fn weights_of_another_depth_are_refused() {
    conv2d(
        &[0.0; 12],
        PlaneShape {
            height: 2,
            width: 2,
            channels: 3,
        },
        Convolution {
            weights: &packed(2, 18),
            bias: &[0.0; 2],
            stride: 1,
        },
        Epilogue::STORE,
        &mut Vec::new(),
        &mut ConvScratch::default(),
    );
}

#[test]
#[should_panic(expected = "too large")]
fn a_shape_whose_size_overflows_is_refused() {
    let _ = PlaneShape {
        height: usize::MAX,
        width: usize::MAX,
        channels: 1,
    }
    .len();
}

#[test]
#[should_panic(expected = "weights of 2 × 3")]
fn a_matrix_with_weights_missing_is_refused() {
    let mut packer = PackedMatrix::packer(Precision::Int8, 2, 3);
    packer.push(&[1.0; 5]);
    packer.finish();
}

#[test]
#[should_panic(expected = "elements from 5 on")]
fn more_weights_than_a_matrix_has_are_refused() {
    let mut packer = PackedMatrix::packer(Precision::F16, 2, 3);
    packer.push(&[1.0; 5]);
    packer.push(&[1.0; 2]);
}

#[test]
#[should_panic(expected = "columns of x and inputs")]
fn shapes_that_do_not_fit_are_refused() {
    linear(
        MatrixRef::new(&[0.0; 6], 2, 3),
        &packed(2, 4),
        None,
        Epilogue::STORE,
        &mut MatrixMut::new(&mut [0.0; 4], 2, 2),
        &mut Scratch::default(),
    );
}

#[test]
#[should_panic(expected = "elements")]
fn a_view_longer_than_its_data_is_refused() {
    MatrixRef::with_stride(&[0.0; 10], 2, 3, 8);
}

#[test]
#[should_panic(expected = "elements")]
fn a_view_whose_size_overflows_is_refused() {
    MatrixRef::new(&[0.0; 10], usize::MAX, usize::MAX);
}
