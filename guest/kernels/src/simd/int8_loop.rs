//! The inner loop of int8: a tile's share of a block, in whole numbers, which is then scaled and added.
//!
//! The steps are those of [`tile_loop`](super::tile_loop), and shaped in the same way for the same reason. The sums
//! begin with the corrections and are exact, also as numbers of f32, because a block is short. Only the two products
//! and the sum after them are rounded, each in an instruction of its own, so that the answer is the same everywhere.

/// The body of [`Kernels::accumulate_int8`](crate::simd::Kernels::accumulate_int8): `$v` is a vector, `$sum` one of
/// whole numbers, `$row` and `$column` are the vectors that are loaded of the blocks, and `$dot` adds their products,
/// with `$constant` where there is one.
macro_rules! accumulate_block {
    (
        $v:ty, $sum:ty, $row:ty, $column:ty, $dot:path, $constant:tt,
        $steps:ident, $a:ident, $b:ident, $rows:ident
    ) => {
        let mut c00 = <$sum>::load(&$a.corrections[0]);
        let mut c01 = c00;
        let mut c10 = <$sum>::load(&$a.corrections[1]);
        let mut c11 = c10;
        let mut c20 = <$sum>::load(&$a.corrections[2]);
        let mut c21 = c20;
        let mut c30 = <$sum>::load(&$a.corrections[3]);
        let mut c31 = c30;
        let (a, b) = (|step: usize| &$a.steps[step], |step: usize| &$b.steps[step]);
        crate::simd::int8_loop::block_steps!(
            $row, $column, $dot, $constant, $steps, a, b,
            [c00 c01 c10 c11 c20 c21 c30 c31]
        );
        let s0 = <$v>::load(&$b.scales.0[0]);
        let s1 = <$v>::load(&$b.scales.0[1]);
        let [row0, row1, row2, row3] = $rows;
        crate::simd::int8_loop::accumulate_block!(# $v, row0, $a.scales[0], s0, s1, c00, c01);
        crate::simd::int8_loop::accumulate_block!(# $v, row1, $a.scales[1], s0, s1, c10, c11);
        crate::simd::int8_loop::accumulate_block!(# $v, row2, $a.scales[2], s0, s1, c20, c21);
        crate::simd::int8_loop::accumulate_block!(# $v, row3, $a.scales[3], s0, s1, c30, c31);
    };
    (# $v:ty, $row:ident, $scale:expr, $s0:ident, $s1:ident, $c0:ident, $c1:ident) => {
        let scale = <$v>::load(&$scale);
        let y0 = <$v>::load(&$row[0]);
        y0.add($c0.to_floats().mul($s0.mul(scale))).store(&mut $row[0]);
        let y1 = <$v>::load(&$row[1]);
        y1.add($c1.to_floats().mul($s1.mul(scale))).store(&mut $row[1]);
    };
}

/// [`outer_products`](super::tile_loop::outer_products) over [`BLOCK_STEPS`](crate::blocks::int8::BLOCK_STEPS) steps.
#[cfg(any(not(target_arch = "wasm32"), feature = "relaxed-simd"))]
macro_rules! block_steps {
    ($($arguments:tt)*) => {
        crate::simd::tile_loop::outer_products!($($arguments)*, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
}
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
macro_rules! block_steps {
    ($($arguments:tt)*) => {
        crate::simd::tile_loop::outer_products!(
            $($arguments)*,
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
        )
    };
}

pub(crate) use {accumulate_block, block_steps};
