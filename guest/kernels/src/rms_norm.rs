//! Root mean square normalisation (Zhang and Sennrich, 2019).

use crate::rows;
use crate::simd::{Native, Vector};

/// Replaces each row `x` by `x / √(mean(x²) + epsilon) · weight`.
///
/// `rows` is `[n, weight.len()]`, row-major.
///
/// # Panics
///
/// When `weight` is empty, or `rows` is no whole number of rows.
pub fn rms_norm(rows: &mut [f32], weight: &[f32], epsilon: f32) {
    assert_eq!(rows.len() % weight.len(), 0, "whole rows");
    for row in rows.chunks_exact_mut(weight.len()) {
        let mean_square = rows::sum(row, |x| x.mul(x)) / weight.len() as f32;
        let factor = Native::splat(1.0 / (mean_square + epsilon).sqrt());
        rows::map_with(row, weight, weight, |x, weight, _| {
            x.mul(factor).mul(weight)
        });
    }
}
