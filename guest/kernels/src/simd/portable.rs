//! Plain arrays, for targets other than `wasm32`.

use super::{LANES, Vector};
use crate::tile::{ColumnStep, RowStep, STEPS, Tile, accumulate_steps};

/// Four numbers in an array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn each(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Portable(std::array::from_fn(|lane| f(self.0[lane], other.0[lane])))
    }
}

impl Vector for Portable {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Portable([value; LANES])
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        Portable(*from)
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }

    #[inline(always)]
    fn broadcast<const LANE: usize>(self) -> Self {
        Portable([self.0[LANE]; LANES])
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.each(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.each(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.each(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.each(other, |a, b| a / b)
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.each(other, |a, b| if b < a { b } else { a })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.each(other, |a, b| if b > a { b } else { a })
    }

    #[inline(always)]
    fn round(self) -> Self {
        Portable(self.0.map(f32::round_ties_even))
    }

    #[inline(always)]
    fn exp2_of_whole(self) -> Self {
        // Wrapping, as vector instructions do: a lane that only fills up a row may hold any number.
        Portable(
            self.0
                .map(|whole| f32::from_bits(((whole as i32).wrapping_add(127) << 23) as u32)),
        )
    }

    fn accumulate(steps: usize, a: &[RowStep; STEPS], b: &[ColumnStep; STEPS], tile: &mut Tile) {
        accumulate_steps!(Portable, Portable::mul_add, steps, a, b, tile);
    }
}
