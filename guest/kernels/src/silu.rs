//! The sigmoid linear unit of Elfwing, Uchibe and Doya (2017), `x / (1 + e⁻ˣ)`.

use crate::rows;
use crate::simd::{Native, Vector};
use crate::softmax::exp;

/// Below this the answer is as good as 0; `e⁻ˣ` is still a number in f32.
const LEAST: f32 = -87.0;

/// Replaces each `x` by `x / (1 + e⁻ˣ)`.
///
/// Off by at most some 10⁻⁶ of its value, or below −87 by at most 10⁻³⁵: −∞ too gives such a small
/// number. ∞ gives ∞, and what is not a number stays that.
#[cfg_attr(
    all(target_arch = "wasm32", feature = "relaxed-simd"),
    target_feature(enable = "relaxed-simd")
)]
pub fn silu(values: &mut [f32]) {
    let (zero, one) = (Native::splat(0.0), Native::splat(1.0));
    rows::map(values, |x| {
        let x = x.max(Native::splat(LEAST));
        x.div(one.add(exp(zero.sub(x))))
    });
}
