//! The inner loop of the matrix product: tiles of 4 rows by 8 columns, up to 32 steps of each.
//!
//! A step adds the outer product of one column of A (four rows) and one row of B (eight columns) to
//! the tile: two loads of B, four of A, whose numbers are packed four times over so that none has to be
//! spread, and eight multiply-adds. With the eight accumulators they fill sixteen vector registers.
//!
//! The shape of the code is for Cranelift under fuel or epoch metering. In a loop, the check at its
//! head has a cold call that makes the register allocator keep every accumulator on the stack. The
//! steps of a turn are therefore written out, and sums go through memory. With nothing between the steps, LLVM
//! gathers all loads at the top and Cranelift all arithmetic at the bottom, and everything spills. A forward exit
//! after each step ends the basic block, and serves the remainder as well.
//!
//! The next turn is that of the next tile, not of the same one. Its sums are not those that were stored just now, so
//! a processor begins it while the last stores are on their way. The columns of a block for these steps, which lie
//! together, stay in the first-level cache for all rows. In a simulation of the caches of Zen (32
//! and 512 KiB) six products 128×384×1536 miss the first level 4.9 million times and the second 0.9 million times.
//! With a tile summed to its end before the next one, it was 21.7 and 4.0 million times.
//!
//! Measured speeds, with metering on, as a share of the native AVX2 product of the crate `gemm`, medians of a few
//! runs. Vectors of half the width can reach 0.5; on Zen, which computes AVX2 in two halves, 1.0. The
//! inner loop alone, on 384 inputs, on Zen 4:
//!
//! | tile | numbers of A | steps a turn | share |
//! | --- | --- | ---: | ---: |
//! | **4×8** | **packed four times over** | 48 | 0.50 |
//! | 4×8 | packed once, spread by a shuffle | 32 | 0.43 |
//! | 4×8 | packed once, loaded into every lane | 32 | 0.39 |
//! | 3×12, two exits a step | packed four times over | 48 | 0.44 |
//! | 3×12 | packed four times over | 48 | 0.33 (it spills) |
//! | 2×16 | packed four times over | 48 | 0.41 (it spills) |
//! | 6×8 | packed four times over | 32 | 0.33 (it spills) |
//! | 5×8 | packed four times over | 32 | 0.31 (it spills) |
//! | 4×8, an exit after every second step | packed four times over | 32 | 0.27 (it spills) |
//!
//! The whole product of 128×384×1536:
//!
//! | steps a turn | 16 | 24 | **32** | 40 | 48 | 64 | 96 | 128 |
//! | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
//! | Zen (EPYC 7000, 2 GHz), a tile to its end | 0.47 | 0.61 | **0.62** | 0.60 | 0.55 | 0.37 | 0.36 | |
//! | Zen 4 (EPYC 9004), a tile to its end | | 0.42 | | | 0.44 | 0.44 | 0.455 | 0.45 |
//! | Zen 4, tiles by turns | | | **0.463** | | | | | |
//!
//! A step is 28 instructions. 96 steps do not fit into the 2,048 entries that Zen has for decoded instructions, which
//! then are decoded anew in each turn, at eleven cycles a step in place of six; Skylake has 1,536. Both keep them in
//! 256 lines; 32 steps take at most 149 on Zen and 203 on Skylake. `tests/tests/kernel_code.rs` counts them for every
//! inner loop of the kernels.
//!
//! Eight sums, each four cycles long, are just what two multipliers need, so that every delay shows: in assembly,
//! without exits and copies of registers, such a step takes 4.7 cycles on Zen 4 in place of 4, and this one 5. Where a
//! multiply-add takes five cycles, as on Zen, Zen 2 and Haswell, ten sums would be needed. But with ten, as above with
//! 5×8, sixteen registers do not hold what Cranelift copies, and more is lost to spills than the fifth that could be
//! won.
//!
//! `tests/tests/kernel_code.rs` checks that this loop does not spill.
//!
//! f32 and [int8](crate::int8) share this shape: a step is one input of f32, and [`DEPTH`] inputs of int8.
//!
//! [`DEPTH`]: crate::blocks::int8::DEPTH

/// Adds outer products to the eight accumulators `$c`, up to as many as there are numbers `$step`, with an exit
/// after each: `$row` and `$column` are the types of the vectors loaded of A and B, and `$madd` takes one of
/// each, an accumulator and `$constant` where there is one. This is a macro because a function compiled for more
/// features than its caller is not inlined into it, so the multiply-add must stand here by name.
macro_rules! outer_products {
    (# $madd:path, (), $a:ident, $b:ident, $c:ident) => {
        $madd($a, $b, $c)
    };
    (# $madd:path, ($constant:ident), $a:ident, $b:ident, $c:ident) => {
        $madd($a, $b, $c, $constant)
    };
    (
        $row:ty, $column:ty, $madd:path, $constant:tt, $steps:ident, $a:ident, $b:ident,
        [$c00:ident $c01:ident $c10:ident $c11:ident $c20:ident $c21:ident $c30:ident $c31:ident],
        $($step:literal)*
    ) => {
        'done: {
            $(
                if $steps == $step {
                    break 'done;
                }
                let b0 = <$column>::load(&$b($step).0[0]);
                let b1 = <$column>::load(&$b($step).0[1]);
                let a0 = <$row>::load(&$a($step).0[0]);
                $c00 = crate::simd::tile_loop::outer_products!(# $madd, $constant, a0, b0, $c00);
                $c01 = crate::simd::tile_loop::outer_products!(# $madd, $constant, a0, b1, $c01);
                let a1 = <$row>::load(&$a($step).0[1]);
                $c10 = crate::simd::tile_loop::outer_products!(# $madd, $constant, a1, b0, $c10);
                $c11 = crate::simd::tile_loop::outer_products!(# $madd, $constant, a1, b1, $c11);
                let a2 = <$row>::load(&$a($step).0[2]);
                $c20 = crate::simd::tile_loop::outer_products!(# $madd, $constant, a2, b0, $c20);
                $c21 = crate::simd::tile_loop::outer_products!(# $madd, $constant, a2, b1, $c21);
                let a3 = <$row>::load(&$a($step).0[3]);
                $c30 = crate::simd::tile_loop::outer_products!(# $madd, $constant, a3, b0, $c30);
                $c31 = crate::simd::tile_loop::outer_products!(# $madd, $constant, a3, b1, $c31);
            )*
        }
    };
}

/// A tile's share of [`Kernels::accumulate`](crate::simd::Kernels::accumulate): `$v` is a vector, `$madd` its
/// multiply-add, `$a` and `$b` give a step of each, and there are `$steps` of them,
/// [`STEPS`](crate::blocks::tile::STEPS) at most.
macro_rules! accumulate_steps {
    ($v:ty, $madd:path, $steps:ident, $a:ident, $b:ident, $rows:ident) => {
        let [r0, r1, r2, r3] = $rows;
        let mut c00 = <$v>::load(&r0[0]);
        let mut c01 = <$v>::load(&r0[1]);
        let mut c10 = <$v>::load(&r1[0]);
        let mut c11 = <$v>::load(&r1[1]);
        let mut c20 = <$v>::load(&r2[0]);
        let mut c21 = <$v>::load(&r2[1]);
        let mut c30 = <$v>::load(&r3[0]);
        let mut c31 = <$v>::load(&r3[1]);
        crate::simd::tile_loop::outer_products!(
            $v, $v, $madd, (), $steps, $a, $b,
            [c00 c01 c10 c11 c20 c21 c30 c31],
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
        );
        c00.store(&mut r0[0]);
        c01.store(&mut r0[1]);
        c10.store(&mut r1[0]);
        c11.store(&mut r1[1]);
        c20.store(&mut r2[0]);
        c21.store(&mut r2[1]);
        c30.store(&mut r3[0]);
        c31.store(&mut r3[1]);
    };
}

pub(crate) use {accumulate_steps, outer_products};
