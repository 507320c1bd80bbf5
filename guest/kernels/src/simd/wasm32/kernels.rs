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
use crate::half_panels::HalfStep;
use crate::int4::{BLOCKS, Int4Block, Int4Input, Int4Sums};
use crate::int8::{
    BLOCK_INPUTS, DEPTH, Int8ColumnBlock, Int8RowBlock, Int8RowStep, LEAST_MAGNITUDE,
    MOST_ACTIVATION, WEIGHT_OFFSET, accumulate_block,
};
use crate::simd::{Kernels, LANES, Vector};
use crate::strip::{STRIP_STEPS, SpreadNumber, Strip, accumulate_strip_steps, steps_of_all};
use crate::tile::{ColumnStep, RowStep, STEPS, TILE_ROWS, TileRow, TileRows, accumulate_steps};

/// What pushes the whole part of a number below 2²² into the low bits of its representation.
const ROUND: f32 = 12_582_912.0;

impl Kernels for Simd128 {
    #[inline(always)]
    fn accumulate(a: &[RowStep], b: &[ColumnStep], [r0, r1, r2, r3]: TileRows<'_>) {
        accumulate(a, b, r0, r1, r2, r3);
    }

    #[inline(always)]
    fn accumulate_strip(x: &[SpreadNumber], panels: [&[ColumnStep]; 4], strip: &mut Strip) {
        let [p0, p1, p2, p3] = panels;
        accumulate_strip(x, p0, p1, p2, p3, strip);
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
    fn accumulate_int4(
        blocks: usize,
        x: &[Int4Input; BLOCKS],
        weights: &[Int4Block; BLOCKS],
        sums: &mut Int4Sums,
    ) {
        let mut scales = [[[0.0; LANES]; 2]; BLOCKS];
        scale_blocks(blocks, x, weights, &mut scales);
        let [left, right] = sums;
        let steps = black_box(LANES * blocks);
        accumulate_int4::<0>(steps, x, weights, &scales, left, black_box(&ONES));
        accumulate_int4::<1>(steps, x, weights, &scales, right, black_box(&ONES));
    }

    fn spread(row: &[f32], steps: &mut [RowStep], lane: usize) {
        let (vectors, rest) = row.as_chunks::<LANES>();
        let (fours, last) = steps.as_chunks_mut::<LANES>();
        for (from, to) in vectors.iter().zip(fours) {
            let x = Simd128::load(from).0;
            let [s0, s1, s2, s3] = to;
            Simd128(i32x4_shuffle::<0, 0, 0, 0>(x, x)).store(&mut s0.0[lane]);
            Simd128(i32x4_shuffle::<1, 1, 1, 1>(x, x)).store(&mut s1.0[lane]);
            Simd128(i32x4_shuffle::<2, 2, 2, 2>(x, x)).store(&mut s2.0[lane]);
            Simd128(i32x4_shuffle::<3, 3, 3, 3>(x, x)).store(&mut s3.0[lane]);
        }
        for (&x, step) in rest.iter().zip(last) {
            step.0[lane] = [x; LANES];
        }
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

/// `x` times `inverse`, rounded to a whole number, ties to even.
#[inline(always)]
fn round(x: &[f32; LANES], inverse: v128) -> v128 {
    let pushed = f32x4_add(f32x4_mul(Simd128::load(x).0, inverse), f32x4_splat(ROUND));
    i32x4_sub(pushed, i32x4_splat(ROUND.to_bits() as i32))
}

/// What `f` makes of all lanes of each row, in the row's lane.
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

/// Each lane in all lanes.
#[inline(always)]
fn spread(x: v128) -> [v128; LANES] {
    [
        i32x4_shuffle::<0, 0, 0, 0>(x, x),
        i32x4_shuffle::<1, 1, 1, 1>(x, x),
        i32x4_shuffle::<2, 2, 2, 2>(x, x),
        i32x4_shuffle::<3, 3, 3, 3>(x, x),
    ]
}

/// What [`scale_of`](crate::int8::scale_of) says of four rows of activations with these largest magnitudes.
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

/// Widens four f16, each with its sign in all higher bits.
#[inline(always)]
fn widen(halves: v128) -> Simd128 {
    // With the exponent's bits in place the number is 2¹¹² times too small, subnormal ones included.
    let bits = v128_and(i32x4_shl(halves, 13), i32x4_splat(0x8fff_e000_u32 as i32));
    let number = f32x4_mul(bits, f32x4_splat(f32::from_bits(0x7780_0000)));
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

/// Eight numbers of 16 bits. Without relaxed SIMD nothing needs them.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "relaxed-simd"), expect(dead_code))]
struct Shorts(v128);

impl Shorts {
    #[inline(always)]
    fn load(from: &[i16; 8]) -> Self {
        // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
        Shorts(unsafe { v128_load(from.as_ptr().cast()) })
    }
}

/// What adds up pairs when they are multiplied with it.
static ONES: [i16; 8] = [1; 8];

/// The inputs of a row in a step, in every lane.
#[derive(Debug, Clone, Copy)]
struct Activations(v128);

impl Activations {
    #[inline(always)]
    fn load(from: &[[crate::int8::Activation8; DEPTH]; LANES]) -> Self {
        // SAFETY: `from` is a reference to exactly the 16 bytes that are read: four bytes four times, or
        // two numbers of two bytes.
        Activations(unsafe { v128_load(from.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store(self, to: &mut [[crate::int8::Activation8; DEPTH]; LANES]) {
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

    /// The products of 32 inputs, in four parts. A pair's sum is at most 2·2·15·127: it fits 16 bits.
    #[inline]
    #[target_feature(enable = "relaxed-simd")]
    pub(super) fn block_dot(x: [v128; 2], weights: [v128; 2], sums: v128, ones: Shorts) -> v128 {
        let pairs = i16x8_add(
            i16x8_relaxed_dot_i8x16_i7x16(x[0], weights[0]),
            i16x8_relaxed_dot_i8x16_i7x16(x[1], weights[1]),
        );
        i32x4_add(sums, i32x4_dot_i16x8(pairs, ones.0))
    }
}
#[cfg(feature = "relaxed-simd")]
use relaxed::{block_dot, dot, mul_add};

#[cfg(not(feature = "relaxed-simd"))]
mod plain {
    use super::{Activations, Ints, Shorts, Simd128, WeightBytes, i32x4_dot_i16x8};
    use crate::simd::Vector;
    use core::arch::wasm32::{i16x8_extend_high_i8x16, i16x8_extend_low_i8x16, i32x4_add, v128};

    #[inline(always)]
    pub(super) fn mul_add(a: Simd128, b: Simd128, addend: Simd128) -> Simd128 {
        a.mul_add(b, addend)
    }

    #[inline(always)]
    pub(super) fn dot(a: Activations, b: WeightBytes, sums: Ints, _: Shorts) -> Ints {
        Ints(i32x4_add(sums.0, i32x4_dot_i16x8(a.0, b.0)))
    }

    /// The products of 32 inputs, in four parts.
    #[inline(always)]
    pub(super) fn block_dot(x: [v128; 2], weights: [v128; 2], sums: v128, _: Shorts) -> v128 {
        x.into_iter().zip(weights).fold(sums, |sums, (x, w)| {
            let low = i32x4_dot_i16x8(i16x8_extend_low_i8x16(x), i16x8_extend_low_i8x16(w));
            let high = i32x4_dot_i16x8(i16x8_extend_high_i8x16(x), i16x8_extend_high_i8x16(w));
            i32x4_add(sums, i32x4_add(low, high))
        })
    }
}
#[cfg(not(feature = "relaxed-simd"))]
use plain::{block_dot, dot, mul_add};

// Functions of their own, never inlined: inside a loop the registers that a caller needs would push
// accumulators onto the stack.
#[inline(never)]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn accumulate(
    a: &[RowStep],
    b: &[ColumnStep],
    r0: &mut TileRow,
    r1: &mut TileRow,
    r2: &mut TileRow,
    r3: &mut TileRow,
) {
    let mut left = a.len().min(b.len());
    let (mut a_left, mut b_left) = (a, b);
    let mut rows = [r0, r1, r2, r3];
    loop {
        // SAFETY: there is a way out before each step that is not below `left`, so both have one at this index.
        let a = |step: usize| unsafe { a_left.get_unchecked(step) };
        // SAFETY: as above.
        let b = |step: usize| unsafe { b_left.get_unchecked(step) };
        accumulate_steps!(Simd128, mul_add, left, a, b, rows);
        if left <= STEPS {
            break;
        }
        left -= STEPS;
        // SAFETY: both have more than `STEPS`.
        (a_left, b_left) =
            unsafe { (a_left.get_unchecked(STEPS..), b_left.get_unchecked(STEPS..)) };
    }
}

#[inline(never)]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn accumulate_strip(
    x: &[SpreadNumber],
    p0: &[ColumnStep],
    p1: &[ColumnStep],
    p2: &[ColumnStep],
    p3: &[ColumnStep],
    strip: &mut Strip,
) {
    let panels = [p0, p1, p2, p3];
    let steps = steps_of_all(x, panels);
    for first in (0..steps).step_by(STRIP_STEPS) {
        let (x, left) = (&x[first..], steps - first);
        // SAFETY: there is a way out before each step that is not below `left`, so all have one at this index.
        let x = |step: usize| unsafe { x.get_unchecked(step) };
        let panels = panels.map(|panel| {
            let panel = &panel[first..];
            // SAFETY: as above.
            move |step: usize| unsafe { panel.get_unchecked(step) }
        });
        accumulate_strip_steps!(Simd128, mul_add, left, x, panels, strip);
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

/// The scales of blocks of weights times those of activations.
#[inline(never)]
fn scale_blocks(
    blocks: usize,
    x: &[Int4Input; BLOCKS],
    weights: &[Int4Block; BLOCKS],
    scales: &mut [[[f32; LANES]; 2]; BLOCKS],
) {
    for ((x, block), scales) in x.iter().zip(weights).zip(scales).take(blocks) {
        let scale = Simd128::load(&x.scale);
        // SAFETY: exactly the 16 bytes of the scales are read.
        let halves = unsafe { v128_load(block.scales.0.as_ptr().cast()) };
        let [left, right] = scales;
        widen(i32x4_extend_low_i16x8(halves)).mul(scale).store(left);
        widen(i32x4_extend_high_i16x8(halves))
            .mul(scale)
            .store(right);
    }
}

/// Blocks of weights of four outputs with blocks of activations, output by output; `$steps` is four times the
/// number of blocks, and there is a way out after each output, as in [`tile`](crate::tile).
macro_rules! accumulate_blocks {
    ($half:ident, $steps:ident, $x:ident, $weights:ident, $scales:ident, $sums:ident, $ones:ident, $($block:literal)*) => {
        let mut c0 = Simd128::load(&$sums[0]);
        let mut c1 = Simd128::load(&$sums[1]);
        let mut c2 = Simd128::load(&$sums[2]);
        let mut c3 = Simd128::load(&$sums[3]);
        'done: {
            $(
                if $steps == 4 * $block {
                    break 'done;
                }
                let x = $x[$block].values.each_ref().map(load_signed);
                let correction = Ints::load(&$x[$block].correction).0;
                let scales = Simd128::load(&$scales[$block][$half]).0;
                let outputs = &$weights[$block].weights[$half];
                c0 = output_dot::<0>(x, &outputs[0], correction, scales, $ones, c0);
                if $steps == 4 * $block + 1 {
                    break 'done;
                }
                c1 = output_dot::<1>(x, &outputs[1], correction, scales, $ones, c1);
                if $steps == 4 * $block + 2 {
                    break 'done;
                }
                c2 = output_dot::<2>(x, &outputs[2], correction, scales, $ones, c2);
                if $steps == 4 * $block + 3 {
                    break 'done;
                }
                c3 = output_dot::<3>(x, &outputs[3], correction, scales, $ones, c3);
            )*
        }
        c0.store(&mut $sums[0]);
        c1.store(&mut $sums[1]);
        c2.store(&mut $sums[2]);
        c3.store(&mut $sums[3]);
    };
}

/// A block's share of one output's sum, whose scale is in lane `OUTPUT`.
#[inline]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn output_dot<const OUTPUT: usize>(
    x: [v128; 2],
    weights: &[u8; 16],
    correction: v128,
    scales: v128,
    ones: Shorts,
    sums: Simd128,
) -> Simd128 {
    let weights = load_unsigned(weights);
    let low = v128_and(weights, u8x16_splat(15));
    let high = v128_and(u16x8_shr(weights, 4), u8x16_splat(15));
    let parts = f32x4_convert_i32x4(block_dot(x, [low, high], correction, ones));
    let scale = i32x4_shuffle::<OUTPUT, OUTPUT, OUTPUT, OUTPUT>(scales, scales);
    mul_add(Simd128(parts), Simd128(scale), sums)
}

#[inline(always)]
fn load_signed(from: &[i8; 16]) -> v128 {
    // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
    unsafe { v128_load(from.as_ptr().cast()) }
}

#[inline(always)]
fn load_unsigned(from: &[u8; 16]) -> v128 {
    // SAFETY: `from` is a reference to exactly the 16 bytes that are read.
    unsafe { v128_load(from.as_ptr().cast()) }
}

#[inline(never)]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn accumulate_int4<const HALF: usize>(
    steps: usize,
    x: &[Int4Input; BLOCKS],
    weights: &[Int4Block; BLOCKS],
    scales: &[[[f32; LANES]; 2]; BLOCKS],
    sums: &mut [[f32; LANES]; LANES],
    ones: &[i16; 8],
) {
    let ones = Shorts::load(ones);
    accumulate_blocks!(HALF, steps, x, weights, scales, sums, ones, 0 1 2 3 4 5 6 7);
}
