//! WebAssembly's 128-bit vectors of four f32 numbers.

#[cfg(miri)]
mod interpreted;
mod kernels;

#[cfg(feature = "relaxed-simd")]
use core::arch::wasm32::f32x4_relaxed_madd;
use core::arch::wasm32::{
    f32x4_add, f32x4_div, f32x4_mul, f32x4_pmax, f32x4_pmin, f32x4_splat, f32x4_sub, i32x4_shl,
    i32x4_shuffle, v128, v128_load, v128_store,
};

use super::vector::Vector;
use crate::blocks::LANES;

#[cfg(not(target_feature = "simd128"))]
compile_error!("ampoule-kernels needs `-Ctarget-feature=+simd128` on wasm32");

/// Four numbers in a vector register.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Simd128(pub(super) v128);

impl Vector for Simd128 {
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Simd128(f32x4_splat(value))
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: `from` is a reference to exactly the 16 bytes that are read. `v128_load` asks
        // for no alignment.
        Simd128(unsafe { v128_load(from.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: `to` is a unique reference to exactly the 16 bytes that are written, and any
        // bits are valid f32 numbers. `v128_store` asks for no alignment.
        unsafe { v128_store(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Simd128(f32x4_add(self.0, other.0))
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Simd128(f32x4_sub(self.0, other.0))
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Simd128(f32x4_mul(self.0, other.0))
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Simd128(f32x4_div(self.0, other.0))
    }

    // The pseudo-minimum and -maximum are one instruction on x86-64; `f32x4.min` is seven.
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Simd128(f32x4_pmin(self.0, other.0))
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Simd128(f32x4_pmax(self.0, other.0))
    }

    #[inline(always)]
    fn exponent_of_low_bits(self) -> Self {
        Simd128(i32x4_shl(self.0, 23))
    }

    #[inline(always)]
    fn spread(self) -> [Self; LANES] {
        let x = self.0;
        [
            Simd128(i32x4_shuffle::<0, 0, 0, 0>(x, x)),
            Simd128(i32x4_shuffle::<1, 1, 1, 1>(x, x)),
            Simd128(i32x4_shuffle::<2, 2, 2, 2>(x, x)),
            Simd128(i32x4_shuffle::<3, 3, 3, 3>(x, x)),
        ]
    }

    #[inline(always)]
    fn transposed([x0, x1, x2, x3]: [Self; LANES]) -> [Self; LANES] {
        let low = i32x4_shuffle::<0, 4, 1, 5>(x0.0, x1.0);
        let high = i32x4_shuffle::<2, 6, 3, 7>(x0.0, x1.0);
        let next_low = i32x4_shuffle::<0, 4, 1, 5>(x2.0, x3.0);
        let next_high = i32x4_shuffle::<2, 6, 3, 7>(x2.0, x3.0);
        [
            Simd128(i32x4_shuffle::<0, 1, 4, 5>(low, next_low)),
            Simd128(i32x4_shuffle::<2, 3, 6, 7>(low, next_low)),
            Simd128(i32x4_shuffle::<0, 1, 4, 5>(high, next_high)),
            Simd128(i32x4_shuffle::<2, 3, 6, 7>(high, next_high)),
        ]
    }

    #[cfg(feature = "relaxed-simd")]
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Simd128(f32x4_relaxed_madd(self.0, factor.0, addend.0))
    }
}
