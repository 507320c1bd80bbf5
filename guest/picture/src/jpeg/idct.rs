//! The inverse cosine transform of libjpeg's default method (`jidctint.c`, "islow"): Loeffler, Ligtenberg
//! and Moschytz, *Practical fast 1-D DCT algorithms with 11 multiplications* (1989), with 13 bits of fraction.
//!
//! The method's rounding is part of every picture that a model was trained on, so it is kept to the bit.

/// Bits of fraction of the factors.
const FACTOR_BITS: u32 = 13;

/// Bits of fraction that the first pass leaves for the second.
const BETWEEN_BITS: u32 = 2;

/// Transforms a block of 64 coefficients, row by row, and writes 8 rows of 8 samples that begin `stride`
/// apart.
pub(super) fn block(
    coefficients: &[i16; 64],
    table: &[u16; 64],
    samples: &mut [u8],
    stride: usize,
) {
    let dequantise = |at: usize| i32::from(coefficients[at]).wrapping_mul(i32::from(table[at]));
    if coefficients[1..].iter().all(|&v| v == 0) {
        return fill(dequantise(0), samples, stride);
    }
    let mut rows = [[0; 8]; 8];
    for (r, row) in rows.iter_mut().enumerate() {
        for (c, value) in row.iter_mut().enumerate() {
            *value = dequantise(8 * r + c);
        }
    }
    let columns = transpose(&pass::<{ FACTOR_BITS - BETWEEN_BITS }>(&rows));
    let rows = transpose(&pass::<{ FACTOR_BITS + BETWEEN_BITS + 3 }>(&columns));
    for (row, out) in rows.iter().zip(samples.chunks_mut(stride)) {
        for (value, sample) in row.iter().zip(out) {
            *sample = value.wrapping_add(128).clamp(0, 255) as u8;
        }
    }
}

/// Fills a block of one colour, to which the two passes come down.
fn fill(dc: i32, samples: &mut [u8], stride: usize) {
    let value = (dc.wrapping_mul(1 << BETWEEN_BITS).wrapping_add(16) >> 5).wrapping_add(128);
    for row in samples.chunks_mut(stride).take(8) {
        let count = row.len().min(8);
        row[..count].fill(value.clamp(0, 255) as u8);
    }
}

fn transpose(rows: &[[i32; 8]; 8]) -> [[i32; 8]; 8] {
    std::array::from_fn(|r| std::array::from_fn(|c| rows[c][r]))
}

/// One-dimensional transforms of 8 columns at once; `SHIFT` bits are rounded off.
#[inline(always)]
fn pass<const SHIFT: u32>(input: &[[i32; 8]; 8]) -> [[i32; 8]; 8] {
    let mut output = [[0; 8]; 8];
    for lane in 0..8 {
        // Sums and products wrap: what a broken file holds may be of any size.
        let mul = |a: i32, b: i32| a.wrapping_mul(b);
        let add = |a: i32, b: i32| a.wrapping_add(b);
        let sub = |a: i32, b: i32| a.wrapping_sub(b);
        let at = |row: usize| input[row][lane];

        // Even part.
        let z1 = mul(add(at(2), at(6)), 4_433);
        let e2 = sub(z1, mul(at(6), 15_137));
        let e3 = add(z1, mul(at(2), 6_270));
        let e0 = mul(add(at(0), at(4)), 1 << FACTOR_BITS);
        let e1 = mul(sub(at(0), at(4)), 1 << FACTOR_BITS);
        let even = [add(e0, e3), add(e1, e2), sub(e1, e2), sub(e0, e3)];

        // Odd part.
        let [o0, o1, o2, o3] = [at(7), at(5), at(3), at(1)];
        let z5 = mul(add(add(o0, o2), add(o1, o3)), 9_633);
        let z1 = mul(add(o0, o3), -7_373);
        let z2 = mul(add(o1, o2), -20_995);
        let z3 = add(mul(add(o0, o2), -16_069), z5);
        let z4 = add(mul(add(o1, o3), -3_196), z5);
        let odd = [
            add(mul(o3, 12_299), add(z1, z4)),
            add(mul(o2, 25_172), add(z2, z3)),
            add(mul(o1, 16_819), add(z2, z4)),
            add(mul(o0, 2_446), add(z1, z3)),
        ];

        let round = 1 << (SHIFT - 1);
        for k in 0..4 {
            output[k][lane] = add(add(even[k], odd[k]), round) >> SHIFT;
            output[7 - k][lane] = add(sub(even[k], odd[k]), round) >> SHIFT;
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{FRAC_1_SQRT_2, PI};

    use super::*;

    /// The transform as T.81, A.3.3 defines it.
    fn exact(coefficients: &[i16; 64], table: &[u16; 64]) -> [f64; 64] {
        let scale = |k: usize| if k == 0 { FRAC_1_SQRT_2 } else { 1.0 };
        let wave = |x: usize, u: usize| ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos();
        std::array::from_fn(|at| {
            let (y, x) = (at / 8, at % 8);
            let term = |k: usize| {
                let (v, u) = (k / 8, k % 8);
                let value = f64::from(coefficients[k]) * f64::from(table[k]);
                value * scale(u) * scale(v) * wave(x, u) * wave(y, v)
            };
            ((0..64).map(term).sum::<f64>() / 4.0 + 128.0).clamp(0.0, 255.0)
        })
    }

    #[test]
    fn samples_are_those_of_the_exact_transform_rounded() {
        let mut state = 7_u64;
        let mut number = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for round in 0..500 {
            let table = std::array::from_fn(|_| 1 + number(40) as u16);
            let mut coefficients = [0; 64];
            for _ in 0..round % 30 {
                coefficients[number(64) as usize] = number(61) as i16 - 30;
            }
            let mut samples = [9; 8 * 11];
            block(&coefficients, &table, &mut samples, 11);
            for (at, expected) in exact(&coefficients, &table).iter().enumerate() {
                let found = f64::from(samples[at / 8 * 11 + at % 8]);
                assert!(
                    (found - expected).abs() < 1.0,
                    "{at}: {found} for {expected}"
                );
            }
            // Beside the block nothing is written.
            assert!(samples.chunks(11).all(|row| row[8..] == [9; 3]));
        }
    }

    #[test]
    fn coefficients_of_any_size_give_samples() {
        for value in [i16::MIN, -1, 1, i16::MAX] {
            let mut samples = [0; 64];
            block(&[value; 64], &[u16::MAX; 64], &mut samples, 8);
            let mut coefficients = [0; 64];
            coefficients[0] = value;
            block(&coefficients, &[u16::MAX; 64], &mut samples, 8);
        }
    }
}
