//! Softmax.

use std::f32::consts::LOG2_E;

use crate::gelu::horner;
use crate::matrix::MatrixMut;
use crate::rows;
use crate::simd::{Native, Vector};

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

/// Summand that rounds a number of a magnitude below 2²¹ to a whole one, ties to even. The low bits then hold the
/// representation of that exponent, which is 127 more.
const PUSH: f32 = 12_582_912.0 + 127.0;

/// A little above the logarithm of the least normal number, 2⁻¹²⁶.
const EXP_LEAST: f32 = -87.3;

/// Replaces each row by its softmax, `e^(scale·x) / Σ e^(scale·x)`.
///
/// Each element is off by at most some 10⁻⁶ of its value or, below that, by `2⁻¹²⁶`. A row without
/// elements stays so.
pub fn softmax(matrix: &mut MatrixMut<'_>, scale: f32) {
    for row in 0..matrix.rows() {
        softmax_row(matrix.row_mut(row), scale);
    }
}

#[cfg_attr(
    all(target_arch = "wasm32", feature = "relaxed-simd"),
    target_feature(enable = "relaxed-simd")
)]
fn softmax_row(row: &mut [f32], scale: f32) {
    let scale = Native::splat(scale);
    let largest = Native::splat(rows::largest(row, |x| x.mul(scale)));
    rows::map(row, |x| exp(x.mul(scale).sub(largest)));
    let factor = Native::splat(1.0 / rows::sum(row, |x| x));
    rows::map(row, |x| x.mul(factor));
}

/// `e^x` for `x` up to 0 (or a little above); what is below −87.3 is taken for that.
#[inline(always)]
pub(crate) fn exp(x: Native) -> Native {
    let x = x.max(Native::splat(EXP_LEAST));
    let pushed = x.mul_add(Native::splat(LOG2_E), Native::splat(PUSH));
    let whole = pushed.sub(Native::splat(PUSH));
    let rest = whole.mul_add(Native::splat(-LN_2_HIGH), x);
    let rest = whole.mul_add(Native::splat(-LN_2_LOW), rest);
    horner(&EXP, rest).mul(pushed.exponent_of_low_bits())
}
