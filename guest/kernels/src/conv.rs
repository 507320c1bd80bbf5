//! Convolution as a matrix product.
//!
//! The patches that the outputs see become rows, a block of them at a time ("im2col": Chellapilla,
//! Puri and Simard, "High Performance Convolutional Neural Networks for Document Processing", 2006),
//! so that the product does nearly all of the work and memory does not grow with the picture.

use crate::epilogue::Epilogue;
use crate::gemm::{Scratch, linear};
use crate::matrix::{MatrixMut, MatrixRef};
use crate::packed_matrix::PackedMatrix;

/// The side of a patch.
const SIDE: usize = 3;

/// Patches in a block: as many rows as the product takes at once.
const BLOCK_PATCHES: usize = 128;

/// Working memory of [`conv2d`], for reuse by the next call.
#[derive(Debug, Default)]
pub struct ConvScratch {
    /// A block of patches, `[block, 3 · 3 · channels]`.
    patches: Vec<f32>,
    linear: Scratch,
}

/// The shape of a picture, or of a convolution's answer: rows of pixels, and in each pixel its channels one after
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaneShape {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Numbers in a pixel.
    pub channels: usize,
}

impl PlaneShape {
    /// Returns how many numbers a plane has.
    ///
    /// # Panics
    ///
    /// When they cannot be counted.
    pub fn len(self) -> usize {
        let len = self
            .height
            .checked_mul(self.width)
            .and_then(|pixels| pixels.checked_mul(self.channels));
        assert!(len.is_some(), "{self:?} is too large");
        len.unwrap_or(0)
    }

    /// Tells whether a plane has no numbers.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns the shape after a convolution to `outputs` channels: one pixel for every `stride` in a row,
    /// and one row for every `stride` rows, the first of each counted.
    pub(crate) fn after(self, stride: usize, outputs: usize) -> Self {
        PlaneShape {
            height: self.height.div_ceil(stride),
            width: self.width.div_ceil(stride),
            channels: outputs,
        }
    }
}

/// A convolution of 3×3 pixels.
#[derive(Debug, Clone, Copy)]
pub struct Convolution<'a> {
    /// `[outputs, 3, 3, channels]`, packed as a matrix `[outputs, 9 · channels]`.
    pub weights: &'a PackedMatrix,
    /// `[outputs]`.
    pub bias: &'a [f32],
    /// Pixels from one patch to the next, in both directions.
    pub stride: usize,
}

/// A convolution of 3×3 pixels over `x`, with one pixel of zeros around it:
/// `y[i, j, n] = epilogue(bias[n] + Σ x[i·stride + u − 1, j·stride + v − 1, c] · weights[n, u, v, c])` over the
/// rows `u` and columns `v` of the patch and the channels `c`.
///
/// Shapes: `x` `[height, width, channels]`; those of [`Convolution`]; `y`, whose length is made to fit,
/// `[⌈height / stride⌉, ⌈width / stride⌉, outputs]`, which is also the answer. With [`Epilogue::Add`] it has that
/// length already. The sums are those of [`linear`].
///
/// # Panics
///
/// When the shapes do not fit, or `stride` is 0.
pub fn conv2d(
    x: &[f32],
    shape: PlaneShape,
    Convolution {
        weights,
        bias,
        stride,
    }: Convolution<'_>,
    epilogue: Epilogue,
    y: &mut Vec<f32>,
    scratch: &mut ConvScratch,
) -> PlaneShape {
    assert_eq!(x.len(), shape.len(), "numbers in {shape:?}");
    let columns = SIDE * SIDE * shape.channels;
    assert_eq!(weights.inputs(), columns, "numbers in a patch of {shape:?}");
    let outputs = shape.after(stride, weights.outputs());
    let pixels = outputs.height * outputs.width;
    if epilogue == Epilogue::Add {
        assert_eq!(y.len(), outputs.len(), "numbers in {outputs:?}");
    }
    y.resize(outputs.len(), 0.0);
    for first in (0..pixels).step_by(BLOCK_PATCHES) {
        let block = first..pixels.min(first + BLOCK_PATCHES);
        scratch.patches.clear();
        for pixel in block.clone() {
            let (row, column) = (pixel / outputs.width, pixel % outputs.width);
            push_patch(
                x,
                shape,
                [row * stride, column * stride],
                &mut scratch.patches,
            );
        }
        linear(
            MatrixRef::new(&scratch.patches, block.len(), columns),
            weights,
            Some(bias),
            epilogue,
            &mut MatrixMut::new(
                &mut y[first * outputs.channels..],
                block.len(),
                outputs.channels,
            ),
            &mut scratch.linear,
        );
    }
    outputs
}

/// Appends the patch around a pixel, row by row, with zeros outside the picture.
fn push_patch(x: &[f32], shape: PlaneShape, [row, column]: [usize; 2], patches: &mut Vec<f32>) {
    let channels = shape.channels;
    // In the coordinates of the picture with its border, whose first row and column are zeros.
    for bordered_row in row..row + SIDE {
        let end = patches.len() + SIDE * channels;
        if let Some(row) = bordered_row.checked_sub(1).filter(|&r| r < shape.height) {
            if column == 0 {
                patches.resize(patches.len() + channels, 0.0);
            }
            let from = row * shape.width;
            let (first, last) = (column.saturating_sub(1), (column + 2).min(shape.width));
            patches.extend_from_slice(&x[(from + first) * channels..(from + last) * channels]);
        }
        // A row outside, or the pixel to the right of the last.
        patches.resize(end, 0.0);
    }
}
