//! The inner loop of the matrix product: a tile of 4 rows by 8 columns, up to 96 steps a turn.
//!
//! A step adds the outer product of one column of A (four rows) and one row of B (eight columns) to
//! the tile: two loads of B, four of A, whose numbers are packed four times over so that none has to be
//! spread, and eight multiply-adds. With the eight accumulators that is what sixteen vector registers hold.
//!
//! The shape of the code is for Cranelift under fuel or epoch metering. In a loop, the check at its
//! head has a cold call that makes the register allocator keep every accumulator on the stack. So
//! the steps of a turn are written out, and from one turn to the next the sums go through memory. Without
//! anything between the steps, though, LLVM gathers all loads at the top and Cranelift all arithmetic at
//! the bottom, and everything spills; so after each step there is a forward exit, which ends the
//! basic block and serves the remainder besides.
//!
//! Tile and steps are what was fastest, with metering on, as a share of the native AVX2 product of the crate `gemm`
//! (0.5 is what vectors of half the width can reach), medians of a few runs. The inner loop alone, on 384 inputs:
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
//! And the whole product of 128×384×1536:
//!
//! | steps a turn | 24 | 48 | 64 | **96** | 128 | 192 |
//! | --- | ---: | ---: | ---: | ---: | ---: | ---: |
//! | share | 0.42 | 0.44 | 0.44 | **0.455** | 0.45 | 0.45 |
//! | with a call for each turn, and tiles copied | | 0.43 | | 0.435 | 0.43 | 0.38 |
//!
//! Eight sums, each four cycles long, are just what two multipliers need, so that every delay shows: in assembly, without
//! exits and copies of registers, such a step takes 4.7 cycles in place of 4, and this one 5.
//!
//! That none of the hot loops spills is held by `tests/tests/kernel_code.rs`.
//!
//! The same shape serves f32, where a step is one input, and [int8](crate::int8), where it is [`DEPTH`] of them.
//!
//! [`DEPTH`]: crate::int8::DEPTH

/// Rows of a tile.
pub(crate) const TILE_ROWS: usize = 4;

/// Columns of a tile.
pub(crate) const TILE_COLUMNS: usize = 8;

/// Steps in a turn of the loop, at most.
pub(crate) const STEPS: usize = 96;

/// One step's share of A: the same column of [`TILE_ROWS`] rows, each number in every lane.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct RowStep(pub(crate) [[f32; 4]; TILE_ROWS]);

/// One step's share of B: [`TILE_COLUMNS`] columns of the same row. Aligned so that none crosses a
/// cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(32))]
pub(crate) struct ColumnStep(pub(crate) TileRow);

/// A row of a tile.
pub(crate) type TileRow = [[f32; 4]; 2];

/// The rows of a tile, wherever they lie.
pub(crate) type TileRows<'a> = [&'a mut TileRow; TILE_ROWS];

/// A tile of the product, by itself.
pub(crate) type Tile = [ColumnStep; TILE_ROWS];

/// The rows of a tile by itself.
#[inline(always)]
pub(crate) fn rows_of(tile: &mut Tile) -> TileRows<'_> {
    tile.each_mut().map(|row| &mut row.0)
}

impl RowStep {
    pub(crate) const ZERO: RowStep = RowStep([[0.0; 4]; TILE_ROWS]);
}

impl ColumnStep {
    pub(crate) const ZERO: ColumnStep = ColumnStep([[0.0; 4]; 2]);
}

/// Outer products added to the eight accumulators `$c`, up to as many as there are numbers `$step`, with a way out
/// after each: `$row` and `$column` are the types of what is loaded of A and B, and `$madd` takes one of
/// each, an accumulator and `$constant` where there is one. It is a macro because a function compiled for more
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
                $c00 = crate::tile::outer_products!(# $madd, $constant, a0, b0, $c00);
                $c01 = crate::tile::outer_products!(# $madd, $constant, a0, b1, $c01);
                let a1 = <$row>::load(&$a($step).0[1]);
                $c10 = crate::tile::outer_products!(# $madd, $constant, a1, b0, $c10);
                $c11 = crate::tile::outer_products!(# $madd, $constant, a1, b1, $c11);
                let a2 = <$row>::load(&$a($step).0[2]);
                $c20 = crate::tile::outer_products!(# $madd, $constant, a2, b0, $c20);
                $c21 = crate::tile::outer_products!(# $madd, $constant, a2, b1, $c21);
                let a3 = <$row>::load(&$a($step).0[3]);
                $c30 = crate::tile::outer_products!(# $madd, $constant, a3, b0, $c30);
                $c31 = crate::tile::outer_products!(# $madd, $constant, a3, b1, $c31);
            )*
        }
    };
}

/// A turn of [`Kernels::accumulate`](crate::simd::Kernels::accumulate): `$v` is a vector, `$madd` its multiply-add,
/// `$a` and `$b` give a step of each, and there are `$steps` of them, of which [`STEPS`] are done.
macro_rules! accumulate_steps {
    ($v:ty, $madd:path, $steps:ident, $a:ident, $b:ident, $rows:ident) => {
        // Hidden, so that sums go through memory from one turn to the next: what stayed in registers there would
        // be kept on the stack everywhere.
        let [r0, r1, r2, r3] = std::hint::black_box($rows.each_mut());
        let mut c00 = <$v>::load(&r0[0]);
        let mut c01 = <$v>::load(&r0[1]);
        let mut c10 = <$v>::load(&r1[0]);
        let mut c11 = <$v>::load(&r1[1]);
        let mut c20 = <$v>::load(&r2[0]);
        let mut c21 = <$v>::load(&r2[1]);
        let mut c30 = <$v>::load(&r3[0]);
        let mut c31 = <$v>::load(&r3[1]);
        crate::tile::outer_products!(
            $v, $v, $madd, (), $steps, $a, $b,
            [c00 c01 c10 c11 c20 c21 c30 c31],
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
            24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
            48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71
            72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95
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
