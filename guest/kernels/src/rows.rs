//! Loops over rows of numbers, two vectors at a time: under metering a turn of a loop costs as much as a
//! vector's arithmetic, and two do not wait for each other.

use crate::simd::{LANES, Native, Vector};

/// Numbers that go through a loop at once.
const PAIR: usize = 2 * LANES;

/// Replaces each number by `f` of it.
#[inline(always)]
pub(crate) fn map(row: &mut [f32], f: impl Fn(Native) -> Native) {
    let (pairs, rest) = row.as_chunks_mut::<PAIR>();
    for pair in pairs {
        store(vectors(pair).map(&f), pair);
    }
    if !rest.is_empty() {
        let mut last = padded(rest);
        store(vectors(&last).map(&f), &mut last);
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// Replaces each number by `f` of it and of the numbers at its place in two other rows, which are as long.
#[inline(always)]
pub(crate) fn map_with(
    row: &mut [f32],
    first: &[f32],
    second: &[f32],
    f: impl Fn(Native, Native, Native) -> Native,
) {
    let (pairs, rest) = row.as_chunks_mut::<PAIR>();
    let ((first, first_rest), (second, second_rest)) =
        (first.as_chunks::<PAIR>(), second.as_chunks::<PAIR>());
    let apply = |pair: &mut [f32; PAIR], first: &[f32; PAIR], second: &[f32; PAIR]| {
        let ([x0, x1], [a0, a1], [b0, b1]) = (vectors(pair), vectors(first), vectors(second));
        store([f(x0, a0, b0), f(x1, a1, b1)], pair);
    };
    for ((pair, first), second) in pairs.iter_mut().zip(first).zip(second) {
        apply(pair, first, second);
    }
    if !rest.is_empty() {
        let mut last = padded(rest);
        apply(&mut last, &padded(first_rest), &padded(second_rest));
        rest.copy_from_slice(&last[..rest.len()]);
    }
}

/// Sums `f` of each number.
#[inline(always)]
pub(crate) fn sum(row: &[f32], f: impl Fn(Native) -> Native) -> f32 {
    let (pairs, rest) = row.as_chunks::<PAIR>();
    let (mut left, mut right) = (Native::splat(0.0), Native::splat(0.0));
    for pair in pairs {
        let [l, r] = vectors(pair);
        (left, right) = (left.add(f(l)), right.add(f(r)));
    }
    let mut last = padded(rest);
    store(vectors(&last).map(f), &mut last);
    left.add(right).sum() + last[..rest.len()].iter().sum::<f32>()
}

/// Returns the largest `f` of a number, NaN left out, and −∞ for an empty row.
#[inline(always)]
pub(crate) fn largest(row: &[f32], f: impl Fn(Native) -> Native) -> f32 {
    let (pairs, rest) = row.as_chunks::<PAIR>();
    let (mut left, mut right) = (
        Native::splat(f32::NEG_INFINITY),
        Native::splat(f32::NEG_INFINITY),
    );
    for pair in pairs {
        let [l, r] = vectors(pair);
        (left, right) = (left.max(f(l)), right.max(f(r)));
    }
    let mut last = padded(rest);
    store(vectors(&last).map(f), &mut last);
    last[..rest.len()]
        .iter()
        .fold(left.max(right).largest(), |largest, &x| largest.max(x))
}

#[inline(always)]
fn vectors(pair: &[f32; PAIR]) -> [Native; 2] {
    let [left, right] = pair.as_chunks::<LANES>().0 else {
        unreachable!("a pair is two vectors");
    };
    [Native::load(left), Native::load(right)]
}

#[inline(always)]
fn store([left, right]: [Native; 2], pair: &mut [f32; PAIR]) {
    if let [l, r] = pair.as_chunks_mut::<LANES>().0 {
        left.store(l);
        right.store(r);
    }
}

/// Returns the rest of a row, filled up with zeros.
#[inline(always)]
pub(crate) fn padded<const N: usize>(rest: &[f32]) -> [f32; N] {
    let mut numbers = [0.0; N];
    numbers[..rest.len()].copy_from_slice(rest);
    numbers
}

/// Returns the numbers of four rows, four of each at a time, without the rest.
#[inline(always)]
pub(crate) fn fours(rows: [&[f32]; 4]) -> impl Iterator<Item = [Native; 4]> {
    let [x0, x1, x2, x3] = rows.map(|row| row.as_chunks::<LANES>().0);
    let rows = x0.iter().zip(x1).zip(x2).zip(x3);
    rows.map(|(((x0, x1), x2), x3)| [x0, x1, x2, x3].map(Native::load))
}
