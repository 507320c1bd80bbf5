//! Four f32 numbers at once: what the algorithms need of an architecture.

#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(target_arch = "wasm32")]
mod wasm32;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use portable::Portable as Native;
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm32::Simd128 as Native;

use crate::tile::{ColumnStep, RowStep, STEPS, Tile};

/// How many numbers a vector holds.
pub(crate) const LANES: usize = 4;

/// A vector of [`LANES`] numbers, and the inner loop of the matrix product on it.
///
/// The functions are always inlined: under Cranelift a call that remains costs more than the
/// arithmetic in it.
pub(crate) trait Vector: Copy {
    /// `value` in every lane.
    fn splat(value: f32) -> Self;
    /// The lanes from memory.
    fn load(from: &[f32; LANES]) -> Self;
    /// The lanes to memory.
    fn store(self, to: &mut [f32; LANES]);
    /// Lane `LANE` in every lane.
    fn broadcast<const LANE: usize>(self) -> Self;
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self − other`.
    fn sub(self, other: Self) -> Self;
    /// `self · other`.
    fn mul(self, other: Self) -> Self;
    /// `self / other`.
    fn div(self, other: Self) -> Self;
    /// The smaller; either when one is not a number.
    fn min(self, other: Self) -> Self;
    /// The larger; either when one is not a number.
    fn max(self, other: Self) -> Self;
    /// The nearest whole number, ties to even.
    fn round(self) -> Self;
    /// 2 to the power of lanes that hold whole numbers from −126 to 127.
    fn exp2_of_whole(self) -> Self;

    /// `tile += a·b` over the first `steps` of the given steps; see [`crate::tile`].
    fn accumulate(steps: usize, a: &[RowStep; STEPS], b: &[ColumnStep; STEPS], tile: &mut Tile);

    /// `self · factor + addend`, rounded twice.
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        self.mul(factor).add(addend)
    }

    /// The sum of the lanes.
    #[inline(always)]
    fn sum(self) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self) -> f32 {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes[0].max(lanes[2]).max(lanes[1].max(lanes[3]))
    }
}

/// Replaces each number by `f` of it, a vector at a time.
#[inline(always)]
pub(crate) fn map<V: Vector>(values: &mut [f32], mut f: impl FnMut(V) -> V) {
    let (vectors, rest) = values.as_chunks_mut::<LANES>();
    for vector in vectors {
        f(V::load(vector)).store(vector);
    }
    if !rest.is_empty() {
        let mut last = [0.0; LANES];
        last[..rest.len()].copy_from_slice(rest);
        f(V::load(&last)).store(&mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}
