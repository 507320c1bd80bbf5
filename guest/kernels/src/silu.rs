//! The sigmoid linear unit of Elfwing, Uchibe and Doya (2017), `x / (1 + e⁻ˣ)`.

use crate::rows;
use crate::simd::Vector;
use crate::softmax::exp;

/// Below this the answer is as good as 0; `e⁻ˣ` is still a number in f32.
const LEAST: f32 = -87.0;

/// Replaces each `x` by `x / (1 + e⁻ˣ)`.
///
/// Off by at most some 10⁻⁶ of its value, or below −87 by at most 10⁻³⁵: −∞ too gives such a small
/// number. ∞ gives ∞, and what is not a number stays that.
pub fn silu(values: &mut [f32]) {
    rows::map(values, silu_of);
}

#[inline(always)]
pub(crate) fn silu_of<V: Vector>(x: V) -> V {
    let x = x.max(V::splat(LEAST));
    x.div(V::splat(1.0).add(exp(V::splat(0.0).sub(x))))
}
