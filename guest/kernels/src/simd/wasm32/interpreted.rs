//! Substitutes, for Miri, of instructions that it does not know.

use core::arch::wasm32::{
    i32x4_add, i32x4_extmul_high_i16x8, i32x4_extmul_low_i16x8, i32x4_shuffle, v128, v128_and,
    v128_andnot, v128_or,
};

pub(super) fn v128_bitselect(a: v128, b: v128, mask: v128) -> v128 {
    v128_or(v128_and(a, mask), v128_andnot(b, mask))
}

pub(super) fn i32x4_dot_i16x8(a: v128, b: v128) -> v128 {
    let (low, high) = (i32x4_extmul_low_i16x8(a, b), i32x4_extmul_high_i16x8(a, b));
    i32x4_add(
        i32x4_shuffle::<0, 2, 4, 6>(low, high),
        i32x4_shuffle::<1, 3, 5, 7>(low, high),
    )
}
