//! Four f32 numbers at once.

use crate::blocks::LANES;

/// A vector of [`LANES`] numbers.
///
/// The functions are always inlined: under Cranelift a call that remains costs more than the
/// arithmetic in it.
pub(crate) trait Vector: Copy {
    /// Returns `value` in every lane.
    fn splat(value: f32) -> Self;
    /// Loads the lanes from memory.
    fn load(from: &[f32; LANES]) -> Self;
    /// Stores the lanes to memory.
    fn store(self, to: &mut [f32; LANES]);
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self − other`.
    fn sub(self, other: Self) -> Self;
    /// `self · other`.
    fn mul(self, other: Self) -> Self;
    /// `self / other`.
    fn div(self, other: Self) -> Self;
    /// Returns the smaller; either when one is NaN.
    fn min(self, other: Self) -> Self;
    /// Returns the larger; either when one is NaN.
    fn max(self, other: Self) -> Self;
    /// Returns the lowest nine bits as the sign and the exponent of a number.
    fn exponent_of_low_bits(self) -> Self;

    /// Returns each lane in all lanes.
    fn spread(self) -> [Self; LANES];
    /// Returns the first lanes of all, the second ones, and so on.
    fn transposed(rows: [Self; LANES]) -> [Self; LANES];

    /// `self · factor + addend`, rounded twice, or with relaxed SIMD perhaps once. The relaxed instruction is inlined
    /// only into functions that are compiled for it: callers must be, and so must the closures that they pass on.
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        self.mul(factor).add(addend)
    }

    /// Returns the lanes.
    #[inline(always)]
    fn lanes(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        self.store(&mut lanes);
        lanes
    }

    /// Returns the sum of the lanes.
    #[inline(always)]
    fn sum(self) -> f32 {
        let lanes = self.lanes();
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    }

    /// Returns the largest lane.
    #[inline(always)]
    fn largest(self) -> f32 {
        let lanes = self.lanes();
        lanes[0].max(lanes[2]).max(lanes[1].max(lanes[3]))
    }
}
