//! The inner loops in WebAssembly's vector instructions.

use core::arch::wasm32::{
    f32x4_abs, f32x4_add, f32x4_convert_i32x4, f32x4_div, f32x4_ge, f32x4_lt, f32x4_mul,
    f32x4_splat, i16x8_narrow_i32x4, i32x4_add, i32x4_extend_high_i16x8, i32x4_extend_low_i16x8,
    i32x4_max, i32x4_mul, i32x4_shl, i32x4_shuffle, i32x4_splat, i32x4_sub, u8x16_splat, u16x8_shr,
    v128, v128_and, v128_load, v128_or, v128_store,
};
#[cfg(not(miri))]
use core::arch::wasm32::{i32x4_dot_i16x8, v128_bitselect};

use std::hint::black_box;

use super::Simd128;
#[cfg(miri)]
use super::interpreted::{i32x4_dot_i16x8, v128_bitselect};
use crate::blocks::LANES;
use crate::blocks::half::HalfStep;
use crate::blocks::int4::{Int4Block, Int4Input, PAIRS, QUAD};
use crate::blocks::int8::{
    Activation8, BLOCK_INPUTS, DEPTH, Int8ColumnBlock, Int8RowBlock, Int8RowStep, LEAST_MAGNITUDE,
    MOST_ACTIVATION, WEIGHT_OFFSET,
};
use crate::blocks::strip::{STRIP_PANELS, STRIP_STEPS, SpreadNumber, Strip, quarters, strips_of};
use crate::blocks::tile::{self, ColumnStep, RowStep, STEPS, TILE_ROWS, TileRow, TileRows, Tiles};
use crate::simd::inner_loops::Kernels;
use crate::simd::int8_loop::accumulate_block;
use crate::simd::strip_loop::accumulate_strip_steps;
use crate::simd::tile_loop::accumulate_steps;
use crate::simd::vector::Vector;

/// Summand that pushes the whole part of a number below 2²² into the low bits of its representation.
const ROUND: f32 = 12_582_912.0;

impl Kernels for Simd128 {
    #[inline(always)]
    fn accumulate(a: &[RowStep], b: &[ColumnStep], [r0, r1, r2, r3]: Tiles<'_>) {
        accumulate(a, b, r0, r1, r2, r3);
    }

    #[inline(always)]
    fn accumulate_strips(x: &[SpreadNumber], b: &[ColumnStep], sums: &mut [ColumnStep]) {
        accumulate_strips(x, b, sums);
    }

    #[inline(always)]
    fn accumulate_int8(
        steps: usize,
        a: &Int8RowBlock,
        b: &Int8ColumnBlock,
        [r0, r1, r2, r3]: TileRows<'_>,
    ) {
        accumulate_int8(steps, a, b, r0, r1, r2, r3, black_box(&ONES));
    }

    #[inline(always)]
    fn accumulate_int4(x: &[Int4Input], panels: [&[Int4Block]; 4], strip: &mut Strip) {
        let [p0, p1, p2, p3] = panels;
        accumulate_int4(x, p0, p1, p2, p3, strip, black_box(&ONES));
    }

    fn round_block(rows: [&[f32; BLOCK_INPUTS]; TILE_ROWS], to: &mut Int8RowBlock) {
        let [r0, r1, r2, r3] = rows.map(|row| row.as_chunks::<LANES>().0);
        // As bits, what is no number is the largest of all.
        let magnitude = i32x4_splat(i32::MAX);
        let mut largest = [i32x4_splat(0); TILE_ROWS];
        for (((x0, x1), x2), x3) in r0.iter().zip(r1).zip(r2).zip(r3) {
            for (largest, x) in largest.iter_mut().zip([x0, x1, x2, x3]) {
                *largest = i32x4_max(*largest, v128_and(Simd128::load(x).0, magnitude));
            }
        }
        let (scales, inverses) = scales_of(across(largest, |a, b| i32x4_max(a, b)));
        let inverses = spread(inverses);
        let mut totals = [i32x4_splat(0); TILE_ROWS];
        let steps = to.steps.as_chunks_mut().0.iter_mut();
        for ((((x0, x1), x2), x3), steps) in r0.iter().zip(r1).zip(r2).zip(r3).zip(steps) {
            let rounded = [
                round(x0, inverses[0]),
                round(x1, inverses[1]),
                round(x2, inverses[2]),
                round(x3, inverses[3]),
            ];
            for (total, rounded) in totals.iter_mut().zip(rounded) {
                *total = i32x4_add(*total, rounded);
            }
            store_steps(rounded, steps);
        }
        let sums = across(totals, |a, b| i32x4_add(a, b));
        let corrections = i32x4_mul(sums, i32x4_splat(-WEIGHT_OFFSET));
        for (to, scale) in to.scales.iter_mut().zip(spread(scales)) {
            Simd128(scale).store(to);
        }
        for (to, correction) in to.corrections.iter_mut().zip(spread(corrections)) {
            Ints(correction).store(to);
        }
    }

    fn largest_magnitude(row: &[f32]) -> f32 {
        // As bits, what is no number is the largest of all.
        let magnitude = i32x4_splat(i32::MAX);
        let (vectors, rest) = row.as_chunks::<LANES>();
        let largest = vectors.iter().fold(i32x4_splat(0), |largest, x| {
            i32x4_max(largest, v128_and(Simd128::load(x).0, magnitude))
        });
        let rest = rest.iter().map(|x| x.abs().to_bits() as i32);
        let all = rest.chain(Ints(largest).lanes());
        f32::from_bits(all.max().unwrap_or(0) as u32)
    }

    #[inline(always)]
    fn widen(from: &HalfStep, to: &mut ColumnStep) {
        // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
        let halves = unsafe { v128_load(from.0.as_ptr().cast()) };
        widen(i32x4_extend_low_i16x8(halves)).store(&mut to.0[0]);
        widen(i32x4_extend_high_i16x8(halves)).store(&mut to.0[1]);
    }
}

/// Returns `x` times `inverse`, rounded to a whole number, ties to even.
#[inline(always)]
fn round(x: &[f32; LANES], inverse: v128) -> v128 {
    let pushed = f32x4_add(f32x4_mul(Simd128::load(x).0, inverse), f32x4_splat(ROUND));
    i32x4_sub(pushed, i32x4_splat(ROUND.to_bits() as i32))
}

/// Folds all lanes of each row by `f`, into the row's lane.
#[inline(always)]
fn across([x0, x1, x2, x3]: [v128; TILE_ROWS], f: impl Fn(v128, v128) -> v128) -> v128 {
    let left = f(
        i32x4_shuffle::<0, 1, 4, 5>(x0, x1),
        i32x4_shuffle::<2, 3, 6, 7>(x0, x1),
    );
    let right = f(
        i32x4_shuffle::<0, 1, 4, 5>(x2, x3),
        i32x4_shuffle::<2, 3, 6, 7>(x2, x3),
    );
    f(
        i32x4_shuffle::<0, 2, 4, 6>(left, right),
        i32x4_shuffle::<1, 3, 5, 7>(left, right),
    )
}

/// Returns each lane in all lanes.
#[inline(always)]
fn spread(x: v128) -> [v128; LANES] {
    Simd128(x).spread().map(|x| x.0)
}

/// Computes [`scale_of`](crate::blocks::int8::scale_of) for four rows of activations with these largest magnitudes.
#[inline(always)]
fn scales_of(largest: v128) -> (v128, v128) {
    let most = f32x4_splat(MOST_ACTIVATION);
    let is_finite = f32x4_lt(largest, f32x4_splat(f32::INFINITY));
    let is_usable = v128_and(is_finite, f32x4_ge(largest, f32x4_splat(LEAST_MAGNITUDE)));
    let scales = v128_bitselect(f32x4_div(largest, most), f32x4_splat(f32::NAN), is_finite);
    (scales, v128_and(f32x4_div(most, largest), is_usable))
}

/// Stores four inputs of four rows.
#[cfg(feature = "relaxed-simd")]
#[inline(always)]
fn store_steps([x0, x1, x2, x3]: [v128; TILE_ROWS], [to]: &mut [Int8RowStep; LANES / DEPTH]) {
    let x = core::arch::wasm32::i8x16_narrow_i16x8(
        i16x8_narrow_i32x4(x0, x1),
        i16x8_narrow_i32x4(x2, x3),
    );
    for (to, x) in to.0.iter_mut().zip(spread(x)) {
        Activations(x).store(to);
    }
}

#[cfg(not(feature = "relaxed-simd"))]
#[inline(always)]
fn store_steps([x0, x1, x2, x3]: [v128; TILE_ROWS], to: &mut [Int8RowStep; LANES / DEPTH]) {
    let x = spread(i16x8_narrow_i32x4(x0, x1));
    let y = spread(i16x8_narrow_i32x4(x2, x3));
    for (i, to) in to.iter_mut().enumerate() {
        for (to, x) in to.0.iter_mut().zip([x[i], x[2 + i], y[i], y[2 + i]]) {
            Activations(x).store(to);
        }
    }
}

/// Widens four f16 that are finite, each with its sign in all higher bits.
#[inline(always)]
fn widen_finite(halves: v128) -> Simd128 {
    // With the exponent's bits in place the number is 2¹¹² times too small, subnormal ones included.
    let bits = v128_and(i32x4_shl(halves, 13), i32x4_splat(0x8fff_e000_u32 as i32));
    Simd128(f32x4_mul(bits, f32x4_splat(f32::from_bits(0x7780_0000))))
}

/// Widens any four f16, each with its sign in all higher bits.
#[inline(always)]
fn widen(halves: v128) -> Simd128 {
    let number = widen_finite(halves).0;
    // The largest exponent of f16 means what that of f32 does.
    let special = f32x4_ge(f32x4_abs(number), f32x4_splat(65_536.0));
    let exponent = v128_and(special, i32x4_splat(0x7f80_0000));
    Simd128(v128_or(number, exponent))
}

/// Four whole numbers.
#[derive(Debug, Clone, Copy)]
struct Ints(v128);

impl Ints {
    #[inline(always)]
    fn load(from: &[i32; LANES]) -> Self {
        // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
        Ints(unsafe { v128_load(from.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [i32; LANES]) {
        // SAFETY: `to` is a unique reference to exactly the 16 bytes that are written, and any bits are
        // whole numbers.
        unsafe { v128_store(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn to_floats(self) -> Simd128 {
        Simd128(f32x4_convert_i32x4(self.0))
    }

    #[inline(always)]
    fn lanes(self) -> [i32; LANES] {
        let mut lanes = [0; LANES];
        self.store(&mut lanes);
        lanes
    }
}

/// Eight numbers of 16 bits.
#[derive(Debug, Clone, Copy)]
struct Shorts(v128);

impl Shorts {
    #[inline(always)]
    fn load(from: &[i16; 8]) -> Self {
        // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
        Shorts(unsafe { v128_load(from.as_ptr().cast()) })
    }
}

/// Factors of a product that adds up pairs.
static ONES: [i16; 8] = [1; 8];

/// The inputs of a row in a step, in every lane.
#[derive(Debug, Clone, Copy)]
struct Activations(v128);

impl Activations {
    #[inline(always)]
    fn load(from: &[[Activation8; DEPTH]; LANES]) -> Self {
        // SAFETY: `from` is a reference to exactly the 16 bytes that are read: four bytes four times, or
        // two numbers of two bytes.
        Activations(unsafe { v128_load(from.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [[Activation8; DEPTH]; LANES]) {
        // SAFETY: `to` is a unique reference to exactly the 16 bytes that are written, and any bits are
        // whole numbers.
        unsafe { v128_store(to.as_mut_ptr().cast(), self.0) }
    }
}

/// The inputs of four outputs in a step.
#[derive(Debug, Clone, Copy)]
struct WeightBytes(v128);

impl WeightBytes {
    #[cfg(feature = "relaxed-simd")]
    #[inline(always)]
    fn load(from: &[[u8; DEPTH]; LANES]) -> Self {
        // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
        WeightBytes(unsafe { v128_load(from.as_ptr().cast()) })
    }

    #[cfg(not(feature = "relaxed-simd"))]
    #[inline(always)]
    fn load(from: &[[u8; DEPTH]; LANES]) -> Self {
        // SAFETY: `from` is a reference to exactly the 8 bytes that are read.
        WeightBytes(unsafe { core::arch::wasm32::i16x8_load_extend_u8x8(from.as_ptr().cast()) })
    }
}

#[cfg(feature = "relaxed-simd")]
mod relaxed {
    use super::{Activations, Ints, Shorts, Simd128, WeightBytes, i32x4_dot_i16x8};
    use core::arch::wasm32::{
        f32x4_relaxed_madd, i16x8_add, i16x8_relaxed_dot_i8x16_i7x16, i32x4_add, v128,
    };

    #[inline]
    #[target_feature(enable = "relaxed-simd")]
    pub(super) fn mul_add(a: Simd128, b: Simd128, addend: Simd128) -> Simd128 {
        Simd128(f32x4_relaxed_madd(a.0, b.0, addend.0))
    }

    #[inline]
    #[target_feature(enable = "relaxed-simd")]
    pub(super) fn dot(a: Activations, b: WeightBytes, sums: Ints, ones: Shorts) -> Ints {
        // In two steps, with ones from a register: for the instruction that does both, the compiler
        // reads them from memory, from another place each time.
        let pairs = i16x8_relaxed_dot_i8x16_i7x16(a.0, b.0);
        Ints(i32x4_add(sums.0, i32x4_dot_i16x8(pairs, ones.0)))
    }

    /// The products of a block, each lane two inputs of a quad. A sum is at most 8·2·15·127, and begins with at most
    /// half of that: all fit 16 bits.
    #[derive(Clone, Copy)]
    pub(super) struct BlockDots(v128);

    impl BlockDots {
        #[inline(always)]
        pub(super) fn begin(correction: Shorts) -> Self {
            BlockDots(correction.0)
        }

        /// Adds the products of a quad.
        #[inline]
        #[target_feature(enable = "relaxed-simd")]
        pub(super) fn add(self, x: v128, weights: v128) -> Self {
            BlockDots(i16x8_add(self.0, i16x8_relaxed_dot_i8x16_i7x16(x, weights)))
        }

        /// Sums all products of an output in its lane.
        #[inline(always)]
        pub(super) fn totals(self, ones: Shorts) -> Simd128 {
            Ints(i32x4_dot_i16x8(self.0, ones.0)).to_floats()
        }
    }
}
#[cfg(feature = "relaxed-simd")]
use relaxed::{BlockDots, dot, mul_add};

#[cfg(not(feature = "relaxed-simd"))]
mod plain {
    use super::{Activations, Ints, Shorts, Simd128, WeightBytes, i32x4_dot_i16x8};
    use crate::simd::vector::Vector;
    use core::arch::wasm32::{
        i16x8_extend_high_i8x16, i16x8_extend_low_i8x16, i32x4_add, i32x4_extend_low_i16x8,
        i32x4_shuffle, v128,
    };

    #[inline(always)]
    pub(super) fn mul_add(a: Simd128, b: Simd128, addend: Simd128) -> Simd128 {
        a.mul_add(b, addend)
    }

    #[inline(always)]
    pub(super) fn dot(a: Activations, b: WeightBytes, sums: Ints, _: Shorts) -> Ints {
        Ints(i32x4_add(sums.0, i32x4_dot_i16x8(a.0, b.0)))
    }

    /// The products of a block, each lane two inputs of a quad: of the first two outputs and of the last two.
    #[derive(Clone, Copy)]
    pub(super) struct BlockDots(v128, v128);

    impl BlockDots {
        #[inline(always)]
        pub(super) fn begin(correction: Shorts) -> Self {
            // It is the same for all outputs.
            let correction = i32x4_extend_low_i16x8(correction.0);
            BlockDots(correction, correction)
        }

        /// Adds the products of a quad.
        #[inline(always)]
        pub(super) fn add(self, x: v128, weights: v128) -> Self {
            // The quad is in every lane: both halves of it are the same.
            let x = i16x8_extend_low_i8x16(x);
            let first = i32x4_dot_i16x8(x, i16x8_extend_low_i8x16(weights));
            let last = i32x4_dot_i16x8(x, i16x8_extend_high_i8x16(weights));
            BlockDots(i32x4_add(self.0, first), i32x4_add(self.1, last))
        }

        /// Sums all products of an output in its lane.
        #[inline(always)]
        pub(super) fn totals(self, _: Shorts) -> Simd128 {
            Ints(i32x4_add(
                i32x4_shuffle::<0, 2, 4, 6>(self.0, self.1),
                i32x4_shuffle::<1, 3, 5, 7>(self.0, self.1),
            ))
            .to_floats()
        }
    }
}
#[cfg(not(feature = "relaxed-simd"))]
use plain::{BlockDots, dot, mul_add};

// Functions of their own, never inlined: inside a loop the registers that a caller needs would push
// accumulators onto the stack.
#[inline(never)]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn accumulate(
    a: &[RowStep],
    b: &[ColumnStep],
    r0: &mut [TileRow],
    r1: &mut [TileRow],
    r2: &mut [TileRow],
    r3: &mut [TileRow],
) {
    let steps = a.len();
    assert!(steps <= STEPS, "{steps} steps");
    let mut panels = b;
    for rows in tile::each([r0, r1, r2, r3]) {
        let (panel, rest) = panels.split_at(steps);
        panels = rest;
        // Hidden, so that each is a number of this turn's: what is known before the loop is kept on the stack, and
        // what is counted up in it is added to for each load.
        let (a, panel) = black_box((a, panel));
        let steps = panel.len();
        // SAFETY: there is a way out before each step that is not below `steps`, and `a` has that many.
        let a = |step: usize| unsafe { a.get_unchecked(step) };
        // SAFETY: as above; the panel has that many, too.
        let b = |step: usize| unsafe { panel.get_unchecked(step) };
        accumulate_steps!(Simd128, mul_add, steps, a, b, rows);
    }
}

#[inline(never)]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn accumulate_strips(x: &[SpreadNumber], b: &[ColumnStep], sums: &mut [ColumnStep]) {
    let steps = x.len();
    // So that the product does not overflow.
    assert!(steps <= STEPS, "{steps} steps");
    let b = quarters(&b[..steps * sums.len()]);
    for (i, mut strip) in strips_of(sums).enumerate() {
        for first in (0..steps).step_by(STRIP_STEPS) {
            // SAFETY: a quarter has `steps` for each strip, of which this is one, and `first` is below that.
            let next = b.map(|quarter| unsafe { quarter.as_ptr().add(i * steps + first) });
            // SAFETY: `first` is below the length of `x`.
            let x = unsafe { x.as_ptr().add(first) };
            // Hidden, as in `accumulate`.
            let (x, next) = black_box((x, next));
            let left = steps - first;
            // SAFETY: there is a way out before each step that is not below `left`, so there is one at this index.
            let x = |step: usize| unsafe { &*x.add(step) };
            // SAFETY: as above; of this strip's there are as many in a quarter.
            let panels = next.map(|panel| move |step: usize| unsafe { &*panel.add(step) });
            accumulate_strip_steps!(Simd128, mul_add, left, x, panels, strip);
        }
    }
}

#[inline(never)]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
#[expect(
    clippy::too_many_arguments,
    reason = "an array of rows would go through memory"
)]
fn accumulate_int8(
    steps: usize,
    a: &Int8RowBlock,
    b: &Int8ColumnBlock,
    r0: &mut TileRow,
    r1: &mut TileRow,
    r2: &mut TileRow,
    r3: &mut TileRow,
    ones: &[i16; 8],
) {
    let rows = [r0, r1, r2, r3];
    let ones = Shorts::load(ones);
    accumulate_block!(
        Simd128,
        Ints,
        Activations,
        WeightBytes,
        dot,
        (ones),
        steps,
        a,
        b,
        rows
    );
}

/// Multiplies a block of inputs with those of four panels. The exit before each pair of quads is never taken, as in
/// [`tile_loop`](crate::simd::tile_loop): all sums so far are needed there, so loaded numbers are used before more are
/// loaded. `$left` is the number of pairs that are left, which are not fewer.
macro_rules! accumulate_blocks {
    ($left:ident, $x:ident, $blocks:ident, $ones:ident, $strip:ident, $($panel:literal)*) => {
        let [mut s0, mut s1] = [Simd128::splat(0.0); 2];
        let [mut d0, mut d1] = [BlockDots::begin(Shorts(i32x4_splat(0))); 2];
        'done: {
            $(
                if $left == PAIRS * $panel {
                    break 'done;
                }
                if $panel > 0 {
                    let [left, right] = &mut $strip[$panel - 1].0;
                    mul_add(d0.totals($ones), s0, Simd128::load(left)).store(left);
                    mul_add(d1.totals($ones), s1, Simd128::load(right)).store(right);
                }
                [s0, s1] = block_scales($x, $blocks[$panel]);
                d0 = BlockDots::begin(Shorts::load(&$x.correction));
                d1 = d0;
                [d0, d1] = add_pair::<0>($x, $blocks[$panel], [d0, d1]);
                if $left == PAIRS * $panel + 1 {
                    break 'done;
                }
                [d0, d1] = add_pair::<1>($x, $blocks[$panel], [d0, d1]);
                if $left == PAIRS * $panel + 2 {
                    break 'done;
                }
                [d0, d1] = add_pair::<2>($x, $blocks[$panel], [d0, d1]);
                if $left == PAIRS * $panel + 3 {
                    break 'done;
                }
                [d0, d1] = add_pair::<3>($x, $blocks[$panel], [d0, d1]);
            )*
        }
        let [left, right] = &mut $strip[STRIP_PANELS - 1].0;
        mul_add(d0.totals($ones), s0, Simd128::load(left)).store(left);
        mul_add(d1.totals($ones), s1, Simd128::load(right)).store(right);
    };
}

#[inline(never)]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn accumulate_int4(
    x: &[Int4Input],
    p0: &[Int4Block],
    p1: &[Int4Block],
    p2: &[Int4Block],
    p3: &[Int4Block],
    strip: &mut Strip,
    ones: &[i16; 8],
) {
    let ones = Shorts::load(ones);
    let blocks = x.iter().zip(p0).zip(p1).zip(p2).zip(p3);
    // Hidden, because the compiler is not to see that there are only whole blocks.
    let mut left = black_box(STRIP_PANELS * PAIRS * blocks.len());
    for ((((x, b0), b1), b2), b3) in blocks {
        // Hidden, or their addresses would be computed anew for each number that is read.
        let (x, blocks) = black_box((x, [b0, b1, b2, b3]));
        let strip = black_box(&mut *strip);
        accumulate_blocks!(left, x, blocks, ones, strip, 0 1 2 3);
        left -= STRIP_PANELS * PAIRS;
    }
}

/// Returns the scale of each output's sum in a block.
#[inline(always)]
fn block_scales(x: &Int4Input, block: &Int4Block) -> [Simd128; 2] {
    let scale = Simd128::load(&x.scale);
    // SAFETY: exactly the 16 bytes of the scales are read.
    let halves = unsafe { v128_load(block.scales.0.as_ptr().cast()) };
    [
        widen_finite(i32x4_extend_low_i16x8(halves)).mul(scale),
        widen_finite(i32x4_extend_high_i16x8(halves)).mul(scale),
    ]
}

/// Adds the products of a pair of quads.
#[inline]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn add_pair<const PAIR: usize>(
    x: &Int4Input,
    block: &Int4Block,
    [left, right]: [BlockDots; 2],
) -> [BlockDots; 2] {
    let low_half = u8x16_splat(15);
    let first = load_signed(&x.values[2 * PAIR]);
    let second = load_signed(&x.values[2 * PAIR + 1]);
    let weights = [
        load_unsigned(&block.weights[0][PAIR]),
        load_unsigned(&block.weights[1][PAIR]),
    ];
    [
        left.add(first, v128_and(weights[0], low_half))
            .add(second, v128_and(u16x8_shr(weights[0], 4), low_half)),
        right
            .add(first, v128_and(weights[1], low_half))
            .add(second, v128_and(u16x8_shr(weights[1], 4), low_half)),
    ]
}

#[inline(always)]
fn load_signed(from: &[[i8; QUAD]; LANES]) -> v128 {
    // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
    unsafe { v128_load(from.as_ptr().cast()) }
}

#[inline(always)]
fn load_unsigned(from: &[[u8; QUAD]; LANES]) -> v128 {
    // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
    unsafe { v128_load(from.as_ptr().cast()) }
}
