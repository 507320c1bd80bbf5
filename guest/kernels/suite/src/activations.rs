//! The functions beside the matrix product, against f64.

use ampoule_guest_testing::{normal_distribution, numbers};
use ampoule_kernels::{
    MatrixMut, RotaryTable, add, add_scaled, dot, gelu, layer_norm, relu, rms_norm, silu, softmax,
};

/// As its name says.
pub fn gelu_is_exact_to_the_rounding_of_f32() {
    let x: Vec<f32> = (-70_003..70_000).map(|i| i as f32 * 1e-4).collect();
    let mut y = x.clone();
    gelu(&mut y);
    for (&x, &y) in x.iter().zip(&y) {
        let exact = f64::from(x) * normal_distribution(f64::from(x));
        let error = (f64::from(y) - exact).abs() / f64::from(x.abs().max(1.0));
        assert!(error < 2.5e-7, "gelu({x}) = {y}, off by {error}");
    }
}

/// As its name says.
pub fn gelu_of_what_is_far_out_is_zero_or_itself() {
    let mut values = [-1e30, -50.0, -6.0, 0.0, 6.0, 50.0, 1e30];
    gelu(&mut values);
    assert_eq!(values, [0.0, 0.0, 0.0, 0.0, 6.0, 50.0, 1e30]);
}

/// As its name says.
pub fn silu_is_as_exact_as_it_says() {
    let x: Vec<f32> = (-100_003..100_000).map(|i| i as f32 * 1e-3).collect();
    let mut y = x.clone();
    silu(&mut y);
    for (&x, &y) in x.iter().zip(&y) {
        let exact = f64::from(x) / (1.0 + (-f64::from(x)).exp());
        let error = (f64::from(y) - exact).abs();
        assert!(
            error < 1e-6 * exact.abs() + 1e-35,
            "silu({x}) = {y}, off by {error}"
        );
    }
    let mut values = [f32::NEG_INFINITY, -1e30, 0.0, f32::INFINITY, f32::NAN];
    silu(&mut values);
    assert!(
        values[0].abs() < 1e-35 && values[1].abs() < 1e-35,
        "{values:?}"
    );
    assert_eq!(values[2..4], [0.0, f32::INFINITY]);
    assert!(values[4].is_nan());
}

/// As its name says.
pub fn softmax_agrees_with_f64_at_every_length() {
    for columns in (1..40).chain([127, 512]) {
        let rows = 3;
        let scale = 0.177;
        let x: Vec<f32> = (0..rows * columns)
            .map(|i| ((i * 7919) % 613) as f32 / 10.0 - 30.0)
            .collect();
        let mut y = x.clone();
        softmax(&mut MatrixMut::new(&mut y, rows, columns), scale);
        for (x, y) in x.chunks(columns).zip(y.chunks(columns)) {
            let powers: Vec<f64> = x
                .iter()
                .map(|&x| (f64::from(x) * f64::from(scale)).exp())
                .collect();
            let sum: f64 = powers.iter().sum();
            for (power, &y) in powers.iter().zip(y) {
                let error = (f64::from(y) - power / sum).abs() / (power / sum);
                assert!(error < 3e-6, "{columns} columns: off by {error}");
            }
        }
    }
}

/// As its name says.
pub fn softmax_neither_overflows_nor_divides_by_zero() {
    let mut row = [3e38, -3e38, 3e38, 0.0, -1e4];
    softmax(&mut MatrixMut::new(&mut row, 1, 5), 1.0);
    assert_eq!(row[0], 0.5);
    assert_eq!(row[2], 0.5);
    assert!(row[1] < 1e-37 && row[3] < 1e-37 && row[4] < 1e-37);
    softmax(&mut MatrixMut::new(&mut [], 0, 0), 1.0);
    // Far below the zeros that fill up the last vector.
    for columns in 1..9 {
        let mut row = vec![-1e30; columns];
        softmax(&mut MatrixMut::new(&mut row, 1, columns), 1.0);
        for share in row {
            assert!((share - 1.0 / columns as f32).abs() < 1e-6);
        }
    }
}

/// As its name says.
pub fn layer_norm_agrees_with_f64_at_every_width() {
    for width in (1..30).chain([384, 1001]) {
        let value = |i: usize| ((i * 104_729) % 997) as f32 / 100.0 - 3.0;
        let rows: Vec<f32> = (0..2 * width).map(value).collect();
        let weight: Vec<f32> = (0..width).map(|i| value(i + 5)).collect();
        let bias: Vec<f32> = (0..width).map(|i| value(i + 11)).collect();
        let epsilon = 1e-5;
        let mut normal = rows.clone();
        layer_norm(&mut normal, &weight, &bias, epsilon);
        for (row, found) in rows.chunks(width).zip(normal.chunks(width)) {
            let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
            let square = |x: f64| x * x;
            let variance = row
                .iter()
                .map(|&x| square(f64::from(x) - mean))
                .sum::<f64>()
                / width as f64;
            for (i, &found) in found.iter().enumerate() {
                let exact = (f64::from(row[i]) - mean) / (variance + f64::from(epsilon)).sqrt()
                    * f64::from(weight[i])
                    + f64::from(bias[i]);
                assert!(
                    (f64::from(found) - exact).abs() < 2e-5,
                    "width {width}: {found} for {exact}"
                );
            }
        }
    }
}

/// As its name says.
pub fn add_adds() {
    let mut x = [1.0, 2.0, 3.0, 4.0, 5.0];
    add(&mut x, &[10.0, 20.0, 30.0, 40.0, 50.0]);
    assert_eq!(x, [11.0, 22.0, 33.0, 44.0, 55.0]);
}

/// As its name says.
pub fn dot_and_add_scaled_agree_with_f64_at_every_length() {
    for length in 0..70 {
        let value = |i: usize| ((i * 7919) % 613) as f32 / 100.0 - 3.0;
        let x: Vec<f32> = (0..length).map(value).collect();
        let y: Vec<f32> = (0..length).map(|i| value(i + 37)).collect();
        let exact: f64 = x
            .iter()
            .zip(&y)
            .map(|(&x, &y)| f64::from(x) * f64::from(y))
            .sum();
        assert!(
            (f64::from(dot(&x, &y)) - exact).abs() < 1e-4,
            "{length}: {} for {exact}",
            dot(&x, &y)
        );
        let mut sum = x.clone();
        add_scaled(&mut sum, 0.3, &y);
        for ((&found, &x), &y) in sum.iter().zip(&x).zip(&y) {
            let exact = f64::from(x) + f64::from(0.3_f32) * f64::from(y);
            assert!((f64::from(found) - exact).abs() < 2e-6, "{length}");
        }
    }
}

/// As its name says.
pub fn relu_keeps_what_is_positive() {
    let mut x = [-1.0, 0.0, 2.0, f32::MIN_POSITIVE, -1e30, 1e30, -0.5];
    relu(&mut x);
    assert_eq!(x, [0.0, 0.0, 2.0, f32::MIN_POSITIVE, 0.0, 1e30, 0.0]);
}

/// As its name says.
pub fn rms_norm_agrees_with_f64_at_every_width() {
    for width in (1..40).chain([384]) {
        let rows = 3;
        let (x, weight) = (numbers(rows * width, 21), numbers(width, 22));
        let mut y = x.clone();
        rms_norm(&mut y, &weight, 1e-5);
        for (x, y) in x.chunks(width).zip(y.chunks(width)) {
            let mean_square = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / width as f64;
            let factor = 1.0 / (mean_square + 1e-5).sqrt();
            for ((&x, &y), &weight) in x.iter().zip(y).zip(&weight) {
                let exact = f64::from(x) * factor * f64::from(weight);
                let off = (f64::from(y) - exact).abs();
                assert!(
                    off < 1e-6 * exact.abs().max(1.0),
                    "width {width}: {y} for {exact}"
                );
            }
        }
    }
}

/// As its name says.
pub fn rotary_embedding_turns_pairs_by_their_position() {
    let (heads, width, first) = (3, 10, 5);
    let table = RotaryTable::new(width, 12, 10_000.0);
    assert_eq!(table.positions(), 12);
    let rows = 7;
    let x = numbers(rows * heads * width, 23);
    let mut y = x.clone();
    table.apply(&mut MatrixMut::new(&mut y, rows, heads * width), first);
    for row in 0..rows {
        for head in 0..heads {
            for i in 0..width / 2 {
                let angle =
                    (first + row) as f64 * 10_000.0_f64.powf(-2.0 * i as f64 / width as f64);
                let at = (row * heads + head) * width + i;
                let (a, b) = (f64::from(x[at]), f64::from(x[at + width / 2]));
                let exact = [
                    a * angle.cos() - b * angle.sin(),
                    b * angle.cos() + a * angle.sin(),
                ];
                for (found, exact) in [y[at], y[at + width / 2]].into_iter().zip(exact) {
                    assert!(
                        (f64::from(found) - exact).abs() < 1e-6,
                        "{found} for {exact}"
                    );
                }
            }
        }
    }
}
