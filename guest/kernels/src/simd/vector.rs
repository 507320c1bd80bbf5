//! Four f32 numbers at once.

use crate::blocks::LANES;

/// A vector of [`LANES`] numbers.
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
    /// The lowest nine bits, as the sign and the exponent of a number.
    fn exponent_of_low_bits(self) -> Self;

    /// Each lane in all lanes.
    fn spread(self) -> [Self; LANES];
    /// The first lanes of all, the second ones, and so on.
    fn transposed(rows: [Self; LANES]) -> [Self; LANES];

    /// `self · factor + addend`, rounded twice, or with relaxed SIMD perhaps once. That instruction is inlined only
    /// into functions that are compiled for it: those that come here must be, with what they pass on in closures
    /// of their own.
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        self.mul(factor).add(addend)
    }

    /// The lanes.
    #[inline(always)]
    fn lanes(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes
    }

    /// The sum of the lanes.
    #[inline(always)]
    fn sum(self) -> f32 {
        let lanes = self.lanes();
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    }

    /// The largest lane.
    #[inline(always)]
    fn largest(self) -> f32 {
        let lanes = self.lanes();
        lanes[0].max(lanes[2]).max(lanes[1].max(lanes[3]))
    }
}
