//! Layer normalisation (Ba, Kiros and Hinton, 2016).

use crate::rows;
use crate::simd::{Native, Vector};

/// Replaces each row `x` by `(x − mean) / √(variance + epsilon) · weight + bias`.
///
/// `rows` is `[n, weight.len()]`, row-major. The variance is the mean of the squared distances from
/// the mean, taken in a second pass.
///
/// # Panics
///
/// When `weight` is empty, `bias` has another length, or `rows` is no whole number of rows.
#[cfg_attr(
    all(target_arch = "wasm32", feature = "relaxed-simd"),
    target_feature(enable = "relaxed-simd")
)]
pub fn layer_norm(rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    assert_eq!(weight.len(), bias.len(), "weights and biases");
    assert_eq!(rows.len() % weight.len(), 0, "whole rows");
    let count = weight.len() as f32;
    for row in rows.chunks_exact_mut(weight.len()) {
        let mean = Native::splat(rows::sum(row, |x| x) / count);
        let variance = rows::sum(row, |x| {
            let distance = x.sub(mean);
            distance.mul(distance)
        }) / count;
        let factor = Native::splat(1.0 / (variance + epsilon).sqrt());
        rows::map_with(row, weight, bias, |x, weight, bias| {
            x.sub(mean).mul(factor).mul_add(weight, bias)
        });
    }
}
