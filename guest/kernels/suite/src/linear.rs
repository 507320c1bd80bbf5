//! The matrix product against a naive loop in f64, over many odd shapes.

use ampoule_guest_testing::numbers;
use ampoule_kernels::{
    Activation, Epilogue, MatrixMut, MatrixRef, PackedMatrix, Precision, Scratch, gelu, linear,
    relu, silu,
};

/// The product in f64, and next to each element the sum of the magnitudes that went into it.
fn naive(x: &[f32], w: &[f32], bias: Option<&[f32]>, [m, n, k]: [usize; 3]) -> Vec<(f64, f64)> {
    let mut y = Vec::new();
    for row in 0..m {
        for column in 0..n {
            let bias = bias.map_or(0.0, |bias| f64::from(bias[column]));
            let (mut sum, mut magnitude) = (bias, bias.abs());
            for i in 0..k {
                let product = f64::from(x[row * k + i]) * f64::from(w[column * k + i]);
                sum += product;
                magnitude += product.abs();
            }
            y.push((sum, magnitude));
        }
    }
    y
}

/// Fails unless each element is as near to the exact one as a sum of `k` products in f32 must be.
#[track_caller]
fn assert_near(y: &[f32], exact: &[(f64, f64)], [m, n, k]: [usize; 3]) {
    for (i, (&found, &(exact, magnitude))) in y.iter().zip(exact).enumerate() {
        let bound = magnitude * f64::from(f32::EPSILON) * (k as f64 + 2.0) / 2.0;
        assert!(
            (f64::from(found) - exact).abs() <= bound,
            "{m}×{n}×{k}, element {i}: {found} for {exact}"
        );
    }
}

fn packed(w: &[f32], n: usize, k: usize) -> PackedMatrix {
    packed_as(Precision::F32, w, n, k)
}

fn packed_as(precision: Precision, w: &[f32], n: usize, k: usize) -> PackedMatrix {
    let mut packer = PackedMatrix::packer(precision, n, k);
    packer.push(w);
    packer.finish()
}

fn check(shape: [usize; 3], with_bias: bool, scratch: &mut Scratch) {
    let [m, n, k] = shape;
    let (x, w, b) = (numbers(m * k, 1), numbers(n * k, 2), numbers(n, 3));
    let bias = with_bias.then_some(&b[..]);
    let mut y = vec![f32::NAN; m * n];
    linear(
        MatrixRef::new(&x, m, k),
        &packed(&w, n, k),
        bias,
        Epilogue::STORE,
        &mut MatrixMut::new(&mut y, m, n),
        scratch,
    );
    assert_near(&y, &naive(&x, &w, bias, shape), shape);
}

/// As its name says.
pub fn small_shapes_of_every_remainder_agree_with_the_naive_product() {
    let mut scratch = Scratch::default();
    for m in 1..=9 {
        for n in [1, 2, 7, 8, 9, 15, 16, 17] {
            for k in [1, 2, 3, 31, 32, 33, 63, 65] {
                check([m, n, k], (m + n + k) % 2 == 0, &mut scratch);
            }
        }
    }
}

/// As its name says.
pub fn shapes_over_several_blocks_agree_with_the_naive_product() {
    let mut scratch = Scratch::default();
    for shape in [
        [127, 24, 383],
        [128, 8, 384],
        [129, 9, 385],
        [257, 10, 769],
        [512, 17, 33],
        [5, 1537, 384],
        [3, 40, 1537],
    ] {
        check(shape, true, &mut scratch);
        check(shape, false, &mut scratch);
    }
}

/// As its name says.
pub fn a_product_of_nothing_is_the_bias() {
    let mut y = [9.0; 6];
    linear(
        MatrixRef::new(&[], 2, 0),
        &packed(&[], 3, 0),
        Some(&[1.0, 2.0, 3.0]),
        Epilogue::STORE,
        &mut MatrixMut::new(&mut y, 2, 3),
        &mut Scratch::default(),
    );
    assert_eq!(y, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
}

/// As its name says.
pub fn packing_piece_by_piece_is_packing_at_once() {
    let (n, k) = (19, 45);
    let w = numbers(n * k, 4);
    for precision in PRECISIONS {
        let whole = packed_as(precision, &w, n, k);
        for piece in [1, 5, 13, 45, 64, 200] {
            let mut packer = PackedMatrix::packer(precision, n, k);
            for piece in w.chunks(piece) {
                packer.push(piece);
            }
            assert_eq!(packer.finish(), whole, "{precision:?}, pieces of {piece}");
        }
    }
}

/// As its name says.
pub fn a_row_comes_out_of_a_packed_matrix_as_near_to_what_went_in_as_it_is_kept() {
    let (n, k) = (19, 77);
    let w = numbers(n * k, 9);
    for precision in PRECISIONS {
        let packed = packed_as(precision, &w, n, k);
        for (output, expected) in w.chunks(k).enumerate() {
            let mut row = vec![0.0; k];
            packed.unpack(output, &mut row);
            let largest = expected
                .iter()
                .fold(0.0_f32, |largest, x| largest.max(x.abs()));
            let off = match precision {
                Precision::F32 => 0.0,
                Precision::F16 => largest / 2048.0,
                Precision::Int8 => largest / 63.0 * 0.501,
                Precision::Int4 => largest / 8.0 * 1.01,
            };
            for (found, expected) in row.iter().zip(expected) {
                assert!(
                    (found - expected).abs() <= off,
                    "{precision:?}: {found} for {expected}"
                );
            }
        }
    }
}

const PRECISIONS: [Precision; 4] = [
    Precision::F32,
    Precision::F16,
    Precision::Int8,
    Precision::Int4,
];

/// Returns the numbers that a row of activations is rounded to.
fn rounded(x: &[f32], block: usize) -> Vec<f32> {
    let round = |block: &[f32]| -> Vec<f32> {
        let largest = block
            .iter()
            .fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let scale = largest / 127.0;
        let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
        block
            .iter()
            .map(|x| (x * inverse).round_ties_even() * scale)
            .collect()
    };
    x.chunks(block).flat_map(round).collect()
}

/// Fails unless the product is that of what weights and activations are kept as.
fn check_as_kept(precision: Precision, [m, n, k]: [usize; 3], seed: u64, scratch: &mut Scratch) {
    let (x, w) = (numbers(m * k, seed), numbers(n * k, seed + 1));
    let b = numbers(n, seed + 2);
    let packed = packed_as(precision, &w, n, k);
    let mut kept = vec![0.0; n * k];
    for (output, row) in kept.chunks_mut(k).enumerate() {
        packed.unpack(output, row);
    }
    let block = match precision {
        Precision::Int8 => Some(64),
        Precision::Int4 if m == 1 => Some(32),
        _ => None,
    };
    let x_kept: Vec<f32> = match block {
        Some(block) => x.chunks(k).flat_map(|row| rounded(row, block)).collect(),
        None => x.clone(),
    };
    let mut y = vec![f32::NAN; m * n];
    linear(
        MatrixRef::new(&x, m, k),
        &packed,
        Some(&b),
        Epilogue::STORE,
        &mut MatrixMut::new(&mut y, m, n),
        scratch,
    );
    // The scales are multiplied once more than here.
    let exact = naive(&x_kept, &kept, Some(&b), [m, n, k]);
    assert_near(&y, &exact, [m, n, k + 8]);
}

/// As its name says.
pub fn narrower_weights_give_the_product_of_what_they_are_kept_as() {
    let mut scratch = Scratch::default();
    for precision in PRECISIONS {
        for shape in [
            [1, 8, 32],
            [1, 1, 1],
            [1, 9, 33],
            [1, 40, 300],
            [2, 7, 31],
            [3, 17, 64],
            [4, 8, 4],
            [5, 24, 129],
            [6, 13, 1000],
            [129, 33, 65],
            [1, 201, 70],
            [5, 201, 230],
        ] {
            check_as_kept(precision, shape, 11, &mut scratch);
        }
    }
}

/// As its name says.
pub fn random_shapes_give_the_product_of_what_weights_are_kept_as() {
    let mut scratch = Scratch::default();
    for (round, sizes) in numbers(3 * 60, 99).chunks(3).enumerate() {
        // Small ones more often than large ones.
        let size = |number: f32, most: f32| 1 + (number * number * most) as usize;
        let shape = [
            size(sizes[0], 140.0),
            size(sizes[1], 90.0),
            size(sizes[2], 900.0),
        ];
        let precision = PRECISIONS[round % PRECISIONS.len()];
        check_as_kept(precision, shape, 100 + round as u64, &mut scratch);
    }
}

/// As its name says.
pub fn an_epilogue_does_what_its_function_does_to_the_product() {
    let mut scratch = Scratch::default();
    for precision in PRECISIONS {
        for [m, n, k] in [[1, 11, 40], [6, 19, 50], [3, 9, 800]] {
            let (x, w, b) = (numbers(m * k, 14), numbers(n * k, 15), numbers(n, 16));
            let packed = packed_as(precision, &w, n, k);
            let mut product = |epilogue, mut y: Vec<f32>| {
                linear(
                    MatrixRef::new(&x, m, k),
                    &packed,
                    Some(&b),
                    epilogue,
                    &mut MatrixMut::new(&mut y, m, n),
                    &mut scratch,
                );
                y
            };
            let plain = product(Epilogue::STORE, vec![f32::NAN; m * n]);
            for (activation, function) in [
                (Activation::Relu, relu as fn(&mut [f32])),
                (Activation::Gelu, gelu),
                (Activation::Silu, silu),
            ] {
                let mut expected = plain.clone();
                function(&mut expected);
                let found = product(Epilogue::Store(activation), vec![f32::NAN; m * n]);
                assert_eq!(found, expected, "{activation:?}, {precision:?}");
            }
            let before = numbers(m * n, 17);
            let added = product(Epilogue::Add, before.clone());
            for ((found, before), plain) in added.iter().zip(&before).zip(&plain) {
                assert!((found - (before + plain)).abs() <= 1e-4, "{precision:?}");
            }
        }
    }
}

/// As its name says.
pub fn infinities_and_what_is_no_number_are_not_lost() {
    let (m, n, k) = (5, 9, 70);
    let w = numbers(n * k, 18);
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        for precision in PRECISIONS {
            let mut x = numbers(m * k, 19);
            x[2 * k + 33] = bad;
            let (y, one) = (
                product_of(precision, &x, &w, [m, n, k]),
                product_of(precision, &x[2 * k..3 * k], &w, [1, n, k]),
            );
            for (i, row) in y.chunks(n).enumerate() {
                assert!(
                    row.iter().all(|y| y.is_finite() == (i != 2)),
                    "{bad} in x, {precision:?}, row {i}: {row:?}"
                );
            }
            assert!(one.iter().all(|y| !y.is_finite()), "{bad}, {precision:?}");

            let mut w = w.clone();
            w[3 * k + 40] = bad;
            for m in [1, m] {
                let y = product_of(precision, &numbers(m * k, 20), &w, [m, n, k]);
                for (i, y) in y.iter().enumerate() {
                    assert_eq!(
                        y.is_finite(),
                        i % n != 3,
                        "{bad} in w, {precision:?}, {i}: {y}"
                    );
                }
            }
        }
    }
}

/// As its name says.
pub fn a_block_of_int8_next_to_zero_counts_as_zeros() {
    let (m, n, k) = (5, 9, 130);
    let scaled = |seed, count, factor: f32| -> Vec<f32> {
        let numbers = numbers(count, seed);
        numbers.into_iter().map(|number| number * factor).collect()
    };
    for least in [9e-37, 1e-37, 1e-40] {
        // Were they no zeros, they would show.
        for [x, w] in [[1e30, least], [least, 1e30]] {
            let (x, w) = (scaled(21, m * k, x), scaled(22, n * k, w));
            let y = product_of(Precision::Int8, &x, &w, [m, n, k]);
            assert!(y.iter().all(|&y| y == 0.0), "{least}: {y:?}");
        }
    }
}

fn product_of(precision: Precision, x: &[f32], w: &[f32], [m, n, k]: [usize; 3]) -> Vec<f32> {
    let mut y = vec![0.0; m * n];
    linear(
        MatrixRef::new(x, m, k),
        &packed_as(precision, w, n, k),
        None,
        Epilogue::STORE,
        &mut MatrixMut::new(&mut y, m, n),
        &mut Scratch::default(),
    );
    y
}

/// As its name says.
pub fn only_the_columns_that_were_asked_for_are_written() {
    let (m, n, k, stride) = (6, 5, 4, 9);
    let (x, w) = (numbers(m * 7, 7), numbers(n * k, 8));
    let mut y = vec![42.0; m * stride];
    linear(
        MatrixRef::with_stride(&x[2..], m, k, 7),
        &packed(&w, n, k),
        None,
        Epilogue::STORE,
        &mut MatrixMut::with_stride(&mut y[3..], m, n, stride),
        &mut Scratch::default(),
    );
    let tight: Vec<f32> = (0..m)
        .flat_map(|row| x[2 + row * 7..][..k].to_vec())
        .collect();
    let exact = naive(&tight, &w, None, [m, n, k]);
    for (i, &found) in y.iter().enumerate() {
        match (i % stride).checked_sub(3).filter(|&column| column < n) {
            Some(column) => {
                assert_near(&[found], &exact[i / stride * n + column..][..1], [m, n, k]);
            }
            None => assert_eq!(found, 42.0, "element {i}"),
        }
    }
}
