//! Attention against its definition in f64, over many odd shapes.

use ampoule_guest_testing::numbers;
use ampoule_kernels::{
    AttentionInputs, AttentionScratch, MatrixMut, MatrixRef, Visibility, attention,
};

/// One shape: rows and tokens, heads and the width of one.
#[derive(Debug, Clone, Copy)]
struct Shape {
    rows: usize,
    tokens: usize,
    heads: usize,
    width: usize,
}

fn definition(
    [q, k, v]: [&[f32]; 3],
    shape: Shape,
    seen: impl Fn(usize, usize) -> bool,
) -> Vec<f64> {
    let Shape {
        rows,
        tokens,
        heads,
        width,
    } = shape;
    let columns = heads * width;
    let mut y = vec![0.0; rows * columns];
    for row in 0..rows {
        for head in 0..heads {
            let score = |token: usize| -> f64 {
                let sum: f64 = (head * width..(head + 1) * width)
                    .map(|i| f64::from(q[row * columns + i]) * f64::from(k[token * columns + i]))
                    .sum();
                sum / (width as f64).sqrt()
            };
            let scores: Vec<(usize, f64)> = (0..tokens)
                .filter(|&token| seen(row, token))
                .map(|token| (token, score(token)))
                .collect();
            let largest = scores
                .iter()
                .fold(f64::MIN, |largest, (_, score)| largest.max(*score));
            let total: f64 = scores
                .iter()
                .map(|(_, score)| (score - largest).exp())
                .sum();
            for (token, score) in scores {
                let share = (score - largest).exp() / total;
                for i in head * width..(head + 1) * width {
                    y[row * columns + i] += share * f64::from(v[token * columns + i]);
                }
            }
        }
    }
    y
}

/// The largest difference from the definition.
fn check(shape: Shape, visibility: Visibility, spread: f32, scratch: &mut AttentionScratch) {
    let Shape {
        rows,
        tokens,
        heads,
        width,
    } = shape;
    let columns = heads * width;
    let mut q = numbers(rows * columns, 1);
    for q in &mut q {
        *q *= spread;
    }
    let (k, v) = (numbers(tokens * columns, 2), numbers(tokens * columns, 3));
    let mut y = vec![f32::NAN; rows * columns];
    let inputs = AttentionInputs {
        queries: MatrixRef::new(&q, rows, columns),
        keys: MatrixRef::new(&k, tokens, columns),
        values: MatrixRef::new(&v, tokens, columns),
    };
    let mut to = MatrixMut::new(&mut y, rows, columns);
    attention(inputs, heads, visibility, &mut to, scratch);
    let exact = definition([&q, &k, &v], shape, |row, token| match visibility {
        Visibility::All => true,
        Visibility::Causal => token <= tokens - rows + row,
    });
    for (i, (&found, &exact)) in y.iter().zip(&exact).enumerate() {
        let off = (f64::from(found) - exact).abs();
        assert!(
            off < 2e-6 * f64::from(spread.max(1.0)),
            "{shape:?}, {visibility:?}, element {i}: {found} for {exact}"
        );
    }
}

/// As its name says.
pub fn every_small_shape_agrees_with_the_definition() {
    let mut scratch = AttentionScratch::default();
    for rows in [1, 2, 3, 7, 8, 9, 31, 33] {
        for more in [0, 1, 5, 100] {
            for heads in [1, 3] {
                for width in [1, 4, 5, 32, 50] {
                    let shape = Shape {
                        rows,
                        tokens: rows + more,
                        heads,
                        width,
                    };
                    check(shape, Visibility::All, 1.0, &mut scratch);
                    check(shape, Visibility::Causal, 1.0, &mut scratch);
                }
            }
        }
    }
}

/// As its name says.
pub fn shapes_over_several_blocks_agree_with_the_definition() {
    let mut scratch = AttentionScratch::default();
    for (rows, tokens) in [(128, 128), (129, 129), (40, 300), (300, 300), (33, 257)] {
        let shape = Shape {
            rows,
            tokens,
            heads: 2,
            width: 8,
        };
        check(shape, Visibility::All, 1.0, &mut scratch);
        check(shape, Visibility::Causal, 1.0, &mut scratch);
    }
}

/// As its name says.
pub fn more_queries_than_keys_see_all_of_them() {
    let shape = Shape {
        rows: 20,
        tokens: 3,
        heads: 2,
        width: 4,
    };
    check(
        shape,
        Visibility::All,
        1.0,
        &mut AttentionScratch::default(),
    );
}

/// As its name says.
pub fn scores_that_differ_much_agree_with_the_definition() {
    // The largest comes late, in another block than most, so that all before it is made smaller.
    for spread in [30.0, 200.0] {
        let shape = Shape {
            rows: 50,
            tokens: 290,
            heads: 2,
            width: 6,
        };
        let mut scratch = AttentionScratch::default();
        check(shape, Visibility::All, spread, &mut scratch);
        check(shape, Visibility::Causal, spread, &mut scratch);
    }
}

/// As its name says.
pub fn what_a_query_does_not_see_leaves_no_trace() {
    let (rows, columns) = (9, 4);
    let q = numbers(rows * columns, 4);
    let mut k = numbers(rows * columns, 5);
    let mut v = numbers(rows * columns, 6);
    let gather = |k: &[f32], v: &[f32]| {
        let mut y = vec![0.0; rows * columns];
        attention(
            AttentionInputs {
                queries: MatrixRef::new(&q, rows, columns),
                keys: MatrixRef::new(k, rows, columns),
                values: MatrixRef::new(v, rows, columns),
            },
            1,
            Visibility::Causal,
            &mut MatrixMut::new(&mut y, rows, columns),
            &mut AttentionScratch::default(),
        );
        y
    };
    let before = gather(&k, &v);
    k[(rows - 1) * columns] = 1e20;
    v[(rows - 1) * columns..].fill(1e20);
    let after = gather(&k, &v);
    let seen = (rows - 1) * columns;
    assert_eq!(before[..seen], after[..seen]);
    assert_ne!(before[seen..], after[seen..]);
}
