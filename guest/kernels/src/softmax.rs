//! Softmax.

use std::f32::consts::LOG2_E;

use crate::gelu::horner;
use crate::matrix::MatrixMut;
use crate::simd::{LANES, Native, Vector, map};

/// `e^r ≈ Σ cᵢ·rⁱ` for |r| ≤ ln 2 / 2, off by at most 3.1·10⁻⁹ of the value in exact arithmetic.
/// A fit of our own: `fit/coefficients.py`.
const EXP: [f32; 7] = [
    1.0,
    1.0,
    4.999_999_4e-1,
    1.666_652_1e-1,
    4.166_839e-2,
    8.368_71e-3,
    1.381_461_2e-3,
];

/// ln 2 in two parts (Cody and Waite's reduction): the first has few enough bits that its product
/// with a whole number below 2¹⁰ is exact.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// A little above the logarithm of the least normal number, 2⁻¹²⁶.
const EXP_LEAST: f32 = -87.3;

/// Replaces each row by its softmax, `e^(scale·x) / Σ e^(scale·x)`.
///
/// Each element is off by at most some 10⁻⁶ of its value or, below that, by `2⁻¹²⁶`. A row without
/// elements stays so.
pub fn softmax(rows: &mut MatrixMut<'_>, scale: f32) {
    for row in 0..rows.rows() {
        softmax_row(rows.row_mut(row), scale);
    }
}

fn softmax_row(row: &mut [f32], scale: f32) {
    let largest = largest(row, scale);
    map(row, |x: Native| {
        exp(x.mul_add(Native::splat(scale), Native::splat(-largest)))
    });
    let factor = Native::splat(1.0 / sum(row));
    map(row, |x: Native| x.mul(factor));
}

/// The largest of `scale · x`.
fn largest(row: &[f32], scale: f32) -> f32 {
    let (vectors, rest) = row.as_chunks::<LANES>();
    let scale_of_all = Native::splat(scale);
    let largest = vectors
        .iter()
        .fold(Native::splat(f32::NEG_INFINITY), |largest, vector| {
            largest.max(Native::load(vector).mul(scale_of_all))
        })
        .largest();
    rest.iter()
        .fold(largest, |largest, x| largest.max(x * scale))
}

fn sum(row: &[f32]) -> f32 {
    let (vectors, rest) = row.as_chunks::<LANES>();
    let sum = vectors
        .iter()
        .fold(Native::splat(0.0), |sum, vector| {
            sum.add(Native::load(vector))
        })
        .sum();
    rest.iter().fold(sum, |sum, x| sum + x)
}

/// `e^x` for `x` up to 0 (or a little above); what is below −87.3 is taken for that.
#[inline(always)]
pub(crate) fn exp<V: Vector>(x: V) -> V {
    let x = x.max(V::splat(EXP_LEAST));
    let whole = x.mul(V::splat(LOG2_E)).round();
    let rest = whole.mul_add(V::splat(-LN_2_HIGH), x);
    let rest = whole.mul_add(V::splat(-LN_2_LOW), rest);
    horner(&EXP, rest).mul(whole.exp2_of_whole())
}
