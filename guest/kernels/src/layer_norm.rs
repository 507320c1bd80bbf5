//! Layer normalisation (Ba, Kiros and Hinton, 2016).

use crate::simd::{LANES, Native, Vector};

/// Replaces each row `x` by `(x − mean) / √(variance + epsilon) · weight + bias`.
///
/// `rows` is `[n, weight.len()]`, row-major. The variance is the mean of the squared distances from
/// the mean, taken in a second pass.
///
/// # Panics
///
/// When `weight` is empty, `bias` has another length, or `rows` is no whole number of rows.
pub fn layer_norm(rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    assert_eq!(weight.len(), bias.len(), "weights and biases");
    assert_eq!(rows.len() % weight.len(), 0, "whole rows");
    let count = weight.len() as f32;
    for row in rows.chunks_exact_mut(weight.len()) {
        let mean = sum(row, |x| x, |x: Native| x) / count;
        let variance = sum(
            row,
            |x| (x - mean) * (x - mean),
            |x: Native| {
                let distance = x.sub(Native::splat(mean));
                distance.mul(distance)
            },
        ) / count;
        let factor = 1.0 / (variance + epsilon).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            *x = (*x - mean) * factor * weight + bias;
        }
    }
}

/// The sum of a function of each element, given for one number and for a vector.
#[inline(always)]
fn sum(row: &[f32], one: impl Fn(f32) -> f32, four: impl Fn(Native) -> Native) -> f32 {
    let (vectors, rest) = row.as_chunks::<LANES>();
    let sum = vectors
        .iter()
        .fold(Native::splat(0.0), |sum, vector| {
            sum.add(four(Native::load(vector)))
        })
        .sum();
    rest.iter().fold(sum, |sum, &x| sum + one(x))
}
