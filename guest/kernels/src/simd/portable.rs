//! Plain arrays, for targets other than `wasm32`.

use half::f16;

use super::inner_loops::Kernels;
use super::int8_loop::accumulate_block;
use super::strip_loop::accumulate_strip_steps;
use super::tile_loop::accumulate_steps;
use super::vector::Vector;
use crate::blocks::LANES;
use crate::blocks::half::HalfStep;
use crate::blocks::int4::{Int4Block, Int4Input};
use crate::blocks::int8::{
    BLOCK_INPUTS, DEPTH, Int8ColumnBlock, Int8RowBlock, MOST_ACTIVATION, WEIGHT_OFFSET, scale_of,
};
use crate::blocks::strip::{STRIP_STEPS, SpreadNumber, Strip, quarters, strips_of};
use crate::blocks::tile::{self, ColumnStep, RowStep, STEPS, TILE_ROWS, TileRows, Tiles};

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
    fn exponent_of_low_bits(self) -> Self {
        Portable(self.0.map(|x| f32::from_bits(x.to_bits() << 23)))
    }

    #[inline(always)]
    fn spread(self) -> [Self; LANES] {
        self.0.map(Portable::splat)
    }

    #[inline(always)]
    fn transposed(rows: [Self; LANES]) -> [Self; LANES] {
        std::array::from_fn(|lane| Portable(rows.map(|row| row.0[lane])))
    }
}

/// Four whole numbers in an array.
#[derive(Debug, Clone, Copy)]
struct Sums([i32; LANES]);

impl Sums {
    fn load(from: &[i32; LANES]) -> Self {
        Sums(*from)
    }

    fn to_floats(self) -> Portable {
        Portable(self.0.map(|sum| sum as f32))
    }
}

/// Four bytes for each of four sums.
#[derive(Debug, Clone, Copy)]
struct Bytes<T>([[T; DEPTH]; LANES]);

impl<T: Copy> Bytes<T> {
    fn load(from: &[[T; DEPTH]; LANES]) -> Self {
        Bytes(*from)
    }
}

fn dot(a: Bytes<i8>, b: Bytes<u8>, sums: Sums) -> Sums {
    Sums(std::array::from_fn(|lane| {
        let products = a.0[lane].iter().zip(b.0[lane]);
        let products = products.map(|(&a, b)| i32::from(a) * i32::from(b));
        sums.0[lane] + products.sum::<i32>()
    }))
}

impl Kernels for Portable {
    fn accumulate(a: &[RowStep], b: &[ColumnStep], tiles: Tiles<'_>) {
        let steps = a.len();
        assert!(steps <= STEPS, "{steps} steps");
        let mut panels = b;
        for rows in tile::each(tiles) {
            let (panel, rest) = panels.split_at(steps);
            panels = rest;
            let a = |step: usize| &a[step];
            let b = |step: usize| &panel[step];
            accumulate_steps!(Portable, mul_add, steps, a, b, rows);
        }
    }

    fn accumulate_strips(x: &[SpreadNumber], b: &[ColumnStep], sums: &mut [ColumnStep]) {
        let steps = x.len();
        let b = quarters(&b[..steps * sums.len()]);
        for (i, mut strip) in strips_of(sums).enumerate() {
            for first in (0..steps).step_by(STRIP_STEPS) {
                let left = steps - first;
                let x = |step: usize| &x[first + step];
                let panels = b.map(|quarter| move |step: usize| &quarter[i * steps + first + step]);
                accumulate_strip_steps!(Portable, mul_add, left, x, panels, strip);
            }
        }
    }

    fn accumulate_int8(steps: usize, a: &Int8RowBlock, b: &Int8ColumnBlock, tile: TileRows<'_>) {
        accumulate_block!(
            Portable,
            Sums,
            Bytes<i8>,
            Bytes<u8>,
            dot,
            (),
            steps,
            a,
            b,
            tile
        );
    }

    fn accumulate_int4(x: &[Int4Input], panels: [&[Int4Block]; 4], strip: &mut Strip) {
        for (panel, sums) in panels.into_iter().zip(strip) {
            for (x, block) in x.iter().zip(panel) {
                block.accumulate(x, sums);
            }
        }
    }

    fn round_block(rows: [&[f32; BLOCK_INPUTS]; TILE_ROWS], to: &mut Int8RowBlock) {
        for (i, row) in rows.into_iter().enumerate() {
            let (scale, inverse) = scale_of(Self::largest_magnitude(row), MOST_ACTIVATION);
            let mut sum = 0;
            for (step, values) in to.steps.iter_mut().zip(row.as_chunks::<DEPTH>().0) {
                let rounded = values.map(|x| (x * inverse).round_ties_even() as i8);
                sum += rounded.iter().map(|&x| i32::from(x)).sum::<i32>();
                step.0[i] = [rounded; LANES];
            }
            to.scales[i] = [scale; LANES];
            to.corrections[i] = [-WEIGHT_OFFSET * sum; LANES];
        }
    }

    fn largest_magnitude(row: &[f32]) -> f32 {
        // As bits, what is no number is the largest of all.
        let bits = row.iter().map(|x| x.abs().to_bits());
        f32::from_bits(bits.max().unwrap_or(0))
    }

    fn widen(from: &HalfStep, to: &mut ColumnStep) {
        for (to, &bits) in to.0.as_flattened_mut().iter_mut().zip(&from.0) {
            *to = f16::from_bits(bits).to_f32();
        }
    }
}

fn mul_add(a: Portable, b: Portable, addend: Portable) -> Portable {
    a.mul_add(b, addend)
}
