//! Depthwise convolution (Howard et al., "MobileNets", 2017): each channel by itself.
//!
//! No product of matrices is in it: an output takes nine numbers, too few to pack anything for. The loop goes over the
//! channels of a pixel, which lie one after another.

use crate::conv::PlaneShape;
use crate::elementwise::relu;
use crate::epilogue::{Activation, Epilogue};
use crate::gelu::gelu;
use crate::silu::silu;

/// The side of a patch.
const SIDE: usize = 3;

/// A depthwise convolution of 3×3 pixels.
#[derive(Debug, Clone, Copy)]
pub struct DepthwiseConvolution<'a> {
    /// `[3, 3, channels]`.
    pub weights: &'a [f32],
    /// `[channels]`.
    pub bias: &'a [f32],
    /// Pixels from one patch to the next, in both directions.
    pub stride: usize,
}

/// `y[i, j, c] = epilogue(bias[c] + Σ x[i·stride + u − 1, j·stride + v − 1, c] · weights[u, v, c])` over the rows `u`
/// and columns `v` of the patch, with one pixel of zeros around `x`.
///
/// Shapes: `x` `[height, width, channels]`; `y`, whose length is made to fit, `[⌈height / stride⌉, ⌈width / stride⌉,
/// channels]`, which is also the answer. With [`Epilogue::Add`] it has that length already.
///
/// # Panics
///
/// When the shapes do not fit, or `stride` is 0.
pub fn depthwise_conv2d(
    x: &[f32],
    shape: PlaneShape,
    DepthwiseConvolution {
        weights,
        bias,
        stride,
    }: DepthwiseConvolution<'_>,
    epilogue: Epilogue,
    y: &mut Vec<f32>,
) -> PlaneShape {
    let channels = shape.channels;
    assert_eq!(x.len(), shape.len(), "numbers in {shape:?}");
    assert_eq!(weights.len(), SIDE * SIDE * channels, "weights");
    assert_eq!(bias.len(), channels, "biases");
    let outputs = shape.after(stride, channels);
    if epilogue == Epilogue::Add {
        assert_eq!(y.len(), outputs.len(), "numbers in {outputs:?}");
    }
    y.resize(outputs.len(), 0.0);
    if outputs.is_empty() {
        return outputs;
    }
    for (pixel, y) in y.chunks_exact_mut(channels).enumerate() {
        let (row, column) = (pixel / outputs.width, pixel % outputs.width);
        if epilogue == Epilogue::Add {
            for (y, bias) in y.iter_mut().zip(bias) {
                *y += bias;
            }
        } else {
            y.copy_from_slice(bias);
        }
        for u in 0..SIDE {
            // In the coordinates of the picture with its border, whose first row and column are zeros.
            let from_row = (row * stride + u).checked_sub(1);
            let Some(from_row) = from_row.filter(|&r| r < shape.height) else {
                continue;
            };
            for v in 0..SIDE {
                let from_column = (column * stride + v).checked_sub(1);
                let Some(from_column) = from_column.filter(|&c| c < shape.width) else {
                    continue;
                };
                let from = &x[(from_row * shape.width + from_column) * channels..][..channels];
                let weights = &weights[(u * SIDE + v) * channels..][..channels];
                for ((y, x), weight) in y.iter_mut().zip(from).zip(weights) {
                    *y += x * weight;
                }
            }
        }
    }
    if let Epilogue::Store(activation) = epilogue {
        match activation {
            Activation::Identity => {}
            Activation::Relu => relu(y),
            Activation::Gelu => gelu(y),
            Activation::Silu => silu(y),
        }
    }
    outputs
}
