//! Product of one row, as bytes, with a matrix in four bits.
//!
//! 64 outputs form a group. Four inputs of a group are 64 words of 16 bits, one for each output. A vector of words then
//! has an output in each lane, for any vector length, and no sum goes across lanes.

use ampoule_sandbox::imports::kernels::INT4_BLOCK;
use rten_simd::ops::{
    BitOps as _, Extend as _, FloatOps as _, IntOps as _, NumOps as _, ToFloat as _,
};
use rten_simd::{Isa, Simd as _, SimdOp, f16};

use crate::rounding::{inverse, largest};

/// Outputs of a group.
pub(crate) const GROUP: usize = 64;

/// Weights in a word.
pub(crate) const WORD_WEIGHTS: usize = 4;

/// Words of one output's block.
pub(crate) const BLOCK_WORDS: usize = INT4_BLOCK / WORD_WEIGHTS;

/// Added to a weight, so that it is not negative.
pub(crate) const OFFSET: i16 = 8;

/// Mask of a weight's bits.
pub(crate) const WEIGHT: i16 = 0xf;

/// Value of a block's largest number. A block's sum, of 32 products of at most eight times as much, then fits 16 bits.
const LARGEST: f32 = 127.0;

/// Distance of prefetches, in words: a page, because the processor's own prefetching ends with the page.
const AHEAD: usize = 2048;

/// A row as integers, in blocks with a scale each, padded with zeros.
pub(crate) struct RoundedRow {
    /// `[blocks, INT4_BLOCK]`, each number in both halves of 32 bits. One load then broadcasts it to all lanes of 16
    /// bits.
    doubled: Vec<i32>,
    /// Initial value of a block's sum, which takes [`OFFSET`] back off the weights, `[blocks]`.
    corrections: Vec<i16>,
    /// Value of one step, `[blocks]`.
    steps: Vec<f32>,
}

impl RoundedRow {
    /// Rounds a row; `None` when it has a number that is not finite.
    pub(crate) fn new(row: &[f32]) -> Option<Self> {
        Rounding { row }.dispatch()
    }
}

struct Rounding<'a> {
    row: &'a [f32],
}

impl SimdOp for Rounding<'_> {
    type Output = Option<RoundedRow>;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> Option<RoundedRow> {
        let (floats, wholes) = (isa.f32(), isa.i32());
        let low_half = wholes.splat(0xffff);
        let blocks = self.row.len().div_ceil(INT4_BLOCK);
        let mut rounded = RoundedRow {
            doubled: vec![0; blocks * INT4_BLOCK],
            corrections: Vec::with_capacity(blocks),
            steps: Vec::with_capacity(blocks),
        };
        let doubled = rounded.doubled.as_chunks_mut::<INT4_BLOCK>().0;
        for (block, doubled) in self.row.chunks(INT4_BLOCK).zip(doubled) {
            let mut padded = [0.0; INT4_BLOCK];
            let block = block.as_array().unwrap_or_else(|| {
                padded[..block.len()].copy_from_slice(block);
                &padded
            });
            let step = largest(block) / LARGEST;
            if step.is_nan() {
                return None;
            }
            let inverse = floats.splat(inverse(step));
            let mut sum = wholes.zero();
            let doubled = doubled.chunks_exact_mut(floats.len());
            for (x, doubled) in block.chunks_exact(floats.len()).zip(doubled) {
                let x = floats.to_int_round(floats.mul(floats.load(x), inverse));
                sum = wholes.add(sum, x);
                let both = wholes.or(wholes.shift_left::<16>(x), wholes.and(x, low_half));
                wholes.store(both, doubled);
            }
            rounded.corrections.push(-OFFSET * wholes.sum(sum) as i16);
            rounded.steps.push(step);
        }
        Some(rounded)
    }
}

/// Product of one row: `y[o] = Σ x[i]·w[o, i] + b[o]`.
pub(crate) struct Int4Product<'a> {
    pub(crate) row: &'a RoundedRow,
    /// `[groups, blocks, BLOCK_WORDS, GROUP]`, as in a panel.
    pub(crate) words: &'a [i16],
    /// `[groups, blocks, GROUP]`.
    pub(crate) scales: &'a [f16],
    pub(crate) bias: &'a [f32],
    pub(crate) y: &'a mut [f32],
}

impl SimdOp for Int4Product<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        match GROUP / isa.i16().len() {
            1 => self.multiply::<I, 1>(isa),
            2 => self.multiply::<I, 2>(isa),
            4 => self.multiply::<I, 4>(isa),
            8 => self.multiply::<I, 8>(isa),
            _ => unreachable!("vectors of words have 8 to 64 of them"),
        }
    }
}

impl Int4Product<'_> {
    /// Computes the product, with a group as so many vectors.
    #[inline(always)]
    fn multiply<I: Isa, const VECTORS: usize>(self, isa: I) {
        let (halves, floats) = (isa.f16(), isa.f32());
        let (shorts, wholes) = (isa.i16(), isa.i32());
        let weight = shorts.splat(WEIGHT);
        let (length, lanes) = (shorts.len(), floats.len());
        let blocks = self.row.steps.len();
        let groups = self.words.chunks_exact(blocks * BLOCK_WORDS * GROUP);
        let groups = groups.zip(self.scales.chunks_exact(blocks * GROUP));
        let outputs = self.y.chunks_mut(GROUP).zip(self.bias.chunks(GROUP));
        for ((words, scales), (y, bias)) in groups.zip(outputs) {
            let mut sums = [[floats.zero(); 2]; VECTORS];
            let words = words.as_chunks::<GROUP>().0.chunks_exact(BLOCK_WORDS);
            let scales = scales.as_chunks::<GROUP>().0.iter();
            let xs = self.row.doubled.as_chunks::<INT4_BLOCK>().0.iter();
            let steps = self.row.steps.iter().zip(&self.row.corrections);
            for ((words, scales), (x, (step, correction))) in words.zip(scales).zip(xs.zip(steps)) {
                // Sums wrap. An intermediate sum may leave 16 bits, and the final one is within them again.
                let mut block = [shorts.splat(*correction); VECTORS];
                for (words, x) in words.iter().zip(x.as_chunks::<WORD_WEIGHTS>().0) {
                    let x = x.map(|x| shorts.from_bits(wholes.splat(x).to_bits()));
                    for (vector, block) in block.iter_mut().enumerate() {
                        let words = &words[vector * length..];
                        shorts.prefetch(words.as_ptr().wrapping_add(AHEAD));
                        let words = shorts.load(words);
                        let first = shorts.and(words, weight);
                        let second = shorts.and(shorts.shift_right::<4>(words), weight);
                        let third = shorts.and(shorts.shift_right::<8>(words), weight);
                        let last = shorts.and(shorts.shift_right::<12>(words), weight);
                        let low = shorts.add(shorts.mul(first, x[0]), shorts.mul(second, x[1]));
                        let high = shorts.add(shorts.mul(third, x[2]), shorts.mul(last, x[3]));
                        *block = shorts.add(*block, shorts.add(low, high));
                    }
                }
                let step = floats.splat(*step);
                for (vector, (block, [low, high])) in block.into_iter().zip(&mut sums).enumerate() {
                    let scales = halves.load(&scales[vector * length..]);
                    let add = |sum, block, scale| {
                        floats.mul_add(wholes.to_float(block), floats.mul(scale, step), sum)
                    };
                    *low = add(*low, shorts.extend_low(block), halves.extend_low(scales));
                    *high = add(*high, shorts.extend_high(block), halves.extend_high(scales));
                }
            }
            let mut products = [0.0; GROUP];
            for (vector, [low, high]) in sums.into_iter().enumerate() {
                floats.store(low, &mut products[vector * length..]);
                floats.store(high, &mut products[vector * length + lanes..]);
            }
            for ((y, product), bias) in y.iter_mut().zip(products).zip(bias) {
                *y = product + bias;
            }
        }
    }
}
