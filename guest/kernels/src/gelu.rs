//! The Gaussian error linear unit of Hendrycks and Gimpel (2016), `x·Φ(x)`, by the error function
//! (BERT's `gelu`), not by its approximation with tanh (`gelu_new`).

use crate::rows;
use crate::simd::{Native, Vector};

/// Beyond this `erf(x/√2)` is 1 in f32.
const CLAMP: f32 = 5.6;

/// `erf(x/√2) ≈ x·P(x²)/Q(x²)` for |x| ≤ [`CLAMP`], off by at most 1.9·10⁻⁸ in exact arithmetic.
/// A fit of our own: `fit/coefficients.py`.
const P: [f32; 6] = [
    7.978_844_6e-1,
    6.874_964e-2,
    9.414_308e-3,
    3.476_666_2e-4,
    1.271_207_4e-5,
    4.428_824_6e-8,
];
const Q: [f32; 6] = [
    1.0,
    2.528_306e-1,
    2.893_928e-2,
    1.912_884e-3,
    7.509_428e-5,
    1.180_139_5e-6,
];

/// Replaces each `x` by `x/2 · (1 + erf(x/√2))`.
///
/// Off by at most 2.5·10⁻⁷·max(1, |x|): the rounding of f32. Exact, `0` or `x`, beyond ±5.6.
#[cfg_attr(
    all(target_arch = "wasm32", feature = "relaxed-simd"),
    target_feature(enable = "relaxed-simd")
)]
pub fn gelu(values: &mut [f32]) {
    let one = Native::splat(1.0);
    rows::map(values, |x| {
        let clamped = x.min(Native::splat(CLAMP)).max(Native::splat(-CLAMP));
        let square = clamped.mul(clamped);
        let erf = clamped
            .mul(horner(&P, square))
            .div(horner(&Q, square))
            .min(one)
            .max(Native::splat(-1.0));
        let half = x.mul(Native::splat(0.5));
        half.mul(erf.add(one))
    });
}

/// Evaluates the polynomial with these coefficients, the constant one first.
#[inline(always)]
pub(crate) fn horner(coefficients: &[f32], x: Native) -> Native {
    let Some((&highest, lower)) = coefficients.split_last() else {
        return Native::splat(0.0);
    };
    let mut value = Native::splat(highest);
    for &coefficient in lower.iter().rev() {
        value = value.mul_add(x, Native::splat(coefficient));
    }
    value
}
