//! The matrix product against a naive loop in f64, over many odd shapes.

use ampoule_guest_testing::numbers;
use ampoule_kernels::{MatrixMut, MatrixRef, PackedMatrix, Scratch, linear};

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
    let mut packed = PackedMatrix::zeros(n, k);
    packed.fill(0, w);
    packed
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
        &mut MatrixMut::new(&mut y, m, n),
        scratch,
    );
    assert_near(&y, &naive(&x, &w, bias, shape), shape);
}

#[test]
fn small_shapes_of_every_remainder_agree_with_the_naive_product() {
    let mut scratch = Scratch::default();
    for m in 1..=9 {
        for n in [1, 2, 7, 8, 9, 15, 16, 17] {
            for k in [1, 2, 3, 31, 32, 33, 63, 65] {
                check([m, n, k], (m + n + k) % 2 == 0, &mut scratch);
            }
        }
    }
}

#[test]
fn shapes_over_several_blocks_agree_with_the_naive_product() {
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

#[test]
fn a_product_of_nothing_is_the_bias() {
    let mut y = [9.0; 6];
    linear(
        MatrixRef::new(&[], 2, 0),
        &PackedMatrix::zeros(3, 0),
        Some(&[1.0, 2.0, 3.0]),
        &mut MatrixMut::new(&mut y, 2, 3),
        &mut Scratch::default(),
    );
    assert_eq!(y, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
}

#[test]
fn packing_piece_by_piece_is_packing_at_once() {
    let (n, k) = (19, 13);
    let w = numbers(n * k, 4);
    let whole = packed(&w, n, k);
    for piece in [1, 5, 13, 40, 200] {
        let mut pieces = PackedMatrix::zeros(n, k);
        for (i, piece_of_w) in w.chunks(piece).enumerate() {
            pieces.fill(i * piece, piece_of_w);
        }
        assert_eq!(
            format!("{pieces:?}"),
            format!("{whole:?}"),
            "pieces of {piece}"
        );
    }
}

#[test]
fn a_row_comes_out_of_a_packed_matrix_as_it_went_in() {
    let (n, k) = (19, 13);
    let w = numbers(n * k, 9);
    let whole = packed(&w, n, k);
    for (output, expected) in w.chunks(k).enumerate() {
        let mut row = vec![0.0; k];
        whole.unpack(output, &mut row);
        assert_eq!(row, expected);
    }
}

#[test]
fn a_matrix_is_packed_from_columns_of_a_wider_one_and_either_way_round() {
    let (rows, columns, stride) = (11, 6, 20);
    let wide = numbers(rows * stride, 5);
    let part = MatrixRef::with_stride(&wide[7..], rows, columns, stride);
    let mut tight = Vec::new();
    let mut turned = vec![0.0; rows * columns];
    for row in 0..rows {
        for column in 0..columns {
            let value = wide[7 + row * stride + column];
            tight.push(value);
            turned[column * rows + row] = value;
        }
    }
    // It was something larger before: nothing of that may shine through.
    let mut reused = packed(&numbers(40 * 40, 6), 40, 40);
    reused.pack(part);
    assert_eq!(
        format!("{reused:?}"),
        format!("{:?}", packed(&tight, rows, columns))
    );
    reused.pack_transposed(part);
    assert_eq!(
        format!("{reused:?}"),
        format!("{:?}", packed(&turned, columns, rows))
    );
}

#[test]
fn only_the_columns_that_were_asked_for_are_written() {
    let (m, n, k, stride) = (6, 5, 4, 9);
    let (x, w) = (numbers(m * 7, 7), numbers(n * k, 8));
    let mut y = vec![42.0; m * stride];
    linear(
        MatrixRef::with_stride(&x[2..], m, k, 7),
        &packed(&w, n, k),
        None,
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

#[test]
#[should_panic(expected = "columns of x and inputs")]
fn shapes_that_do_not_fit_are_refused() {
    linear(
        MatrixRef::new(&[0.0; 6], 2, 3),
        &PackedMatrix::zeros(2, 4),
        None,
        &mut MatrixMut::new(&mut [0.0; 4], 2, 2),
        &mut Scratch::default(),
    );
}

#[test]
#[should_panic(expected = "elements")]
fn a_view_longer_than_its_data_is_refused() {
    MatrixRef::with_stride(&[0.0; 10], 2, 3, 8);
}

#[test]
#[should_panic(expected = "elements")]
fn a_view_whose_size_overflows_is_refused() {
    MatrixRef::new(&[0.0; 10], usize::MAX, usize::MAX);
}
