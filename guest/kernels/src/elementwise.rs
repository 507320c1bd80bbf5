//! Operations on each number of one row, or of two.

use crate::rows;
use crate::simd::{LANES, Native, Vector};

/// `x[i] += y[i]`.
///
/// # Panics
///
/// When the lengths differ.
pub fn add(x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len(), "lengths");
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// `x[i] += factor · y[i]`.
///
/// # Panics
///
/// When the lengths differ.
#[cfg_attr(
    all(target_arch = "wasm32", feature = "relaxed-simd"),
    target_feature(enable = "relaxed-simd")
)]
pub fn add_scaled(x: &mut [f32], factor: f32, y: &[f32]) {
    assert_eq!(x.len(), y.len(), "lengths");
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks_mut::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter_mut().zip(y) {
        Native::load(y)
            .mul_add(Native::splat(factor), Native::load(x))
            .store(x);
    }
    for (x, y) in x_rest.iter_mut().zip(y_rest) {
        *x += factor * y;
    }
}

/// `Σ x[i] · y[i]`.
///
/// # Panics
///
/// When the lengths differ.
#[cfg_attr(
    all(target_arch = "wasm32", feature = "relaxed-simd"),
    target_feature(enable = "relaxed-simd")
)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    assert_eq!(x.len(), y.len(), "lengths");
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    let sum = x
        .iter()
        .zip(y)
        .fold(Native::splat(0.0), |sum, (x, y)| {
            Native::load(x).mul_add(Native::load(y), sum)
        })
        .sum();
    x_rest
        .iter()
        .zip(y_rest)
        .fold(sum, |sum, (x, y)| sum + x * y)
}

/// Replaces each `x` by the larger of it and 0.
pub fn relu(values: &mut [f32]) {
    rows::map(values, |x| x.max(Native::splat(0.0)));
}
