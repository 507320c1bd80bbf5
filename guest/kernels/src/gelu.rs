//! The Gaussian error linear unit of Hendrycks and Gimpel (2016), `x·Φ(x)`, by the error function
//! (BERT's `gelu`), not by its approximation with tanh (`gelu_new`).

use crate::rows;
use crate::simd::Vector;

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
pub fn gelu(values: &mut [f32]) {
    rows::map(values, gelu_of);
}

#[inline(always)]
pub(crate) fn gelu_of<V: Vector>(x: V) -> V {
    let clamped = x.min(V::splat(CLAMP)).max(V::splat(-CLAMP));
    let square = clamped.mul(clamped);
    let erf = clamped
        .mul(horner(&P, square))
        .div(horner(&Q, square))
        .min(V::splat(1.0))
        .max(V::splat(-1.0));
    let half = x.mul(V::splat(0.5));
    half.mul(erf.add(V::splat(1.0)))
}

/// The polynomial with these coefficients, the constant one first.
#[inline(always)]
pub(crate) fn horner<V: Vector, const N: usize>(coefficients: &[f32; N], x: V) -> V {
    let mut value = V::splat(0.0);
    for &coefficient in coefficients.iter().rev() {
        value = value.mul_add(x, V::splat(coefficient));
    }
    value
}
