//! Attention against its definition in f64.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;

use ampoule_guest::Assets;
use ampoule_guest_testing::{numbers, safetensors};
use ampoule_kernels::Scratch;
use ampoule_nn::{Attention, AttentionWorkspace, KeyValueCache, Weights};

const HIDDEN: usize = 15;
const HEADS: usize = 3;
const ROWS: usize = 139;

fn weight() -> Vec<f32> {
    numbers(3 * HIDDEN * HIDDEN, 1)
}

fn bias() -> Vec<f32> {
    numbers(3 * HIDDEN, 2)
}

/// The layer, from a file that has its queries, keys and values in one.
fn attention() -> Attention {
    let tensors = BTreeMap::from([
        (
            "qkv.weight".to_owned(),
            (vec![3 * HIDDEN, HIDDEN], weight()),
        ),
        ("qkv.bias".to_owned(), (vec![3 * HIDDEN], bias())),
    ]);
    let file = safetensors::file(&tensors, safetensors::Format::F32);
    let files = BTreeMap::from([("model.safetensors".to_owned(), file)]);
    let assets = Assets::from_source(files);
    Attention::load(&Weights::open(&assets).unwrap(), &["qkv"], HIDDEN, HEADS).unwrap()
}

/// Returns the rows that each row gathers when it sees those with `seen(row, other)`.
fn definition(x: &[f32], seen: impl Fn(usize, usize) -> bool) -> Vec<f64> {
    let (weight, bias) = (weight(), bias());
    let rows = x.len() / HIDDEN;
    let projected = |row: usize, output: usize| {
        (0..HIDDEN)
            .map(|i| f64::from(x[row * HIDDEN + i]) * f64::from(weight[output * HIDDEN + i]))
            .sum::<f64>()
            + f64::from(bias[output])
    };
    let width = HIDDEN / HEADS;
    let all: Vec<Vec<f64>> = (0..rows)
        .map(|row| (0..3 * HIDDEN).map(|o| projected(row, o)).collect())
        .collect();
    let mut context = vec![0.0; rows * HIDDEN];
    for row in 0..rows {
        for column in 0..HIDDEN {
            let first = column / width * width;
            let (mut sum, mut total) = (0.0, 0.0);
            for other in (0..rows).filter(|&other| seen(row, other)) {
                let score: f64 = (first..first + width)
                    .map(|i| all[row][i] * all[other][HIDDEN + i])
                    .sum();
                let power = (score / (width as f64).sqrt()).exp();
                sum += power * all[other][2 * HIDDEN + column];
                total += power;
            }
            context[row * HIDDEN + column] = sum / total;
        }
    }
    context
}

#[track_caller]
fn assert_near(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(found) - expected).abs() < 2e-5,
            "{i}: {found} for {expected}"
        );
    }
}

/// Lets a cache remember the first `shown` rows, gives it the others in parts of these lengths, and
/// collects what those gather.
fn in_parts(x: &[f32], shown: usize, parts: &[usize]) -> Vec<f32> {
    let (attention, mut cache) = (attention(), KeyValueCache::default());
    let (mut workspace, mut scratch) = (AttentionWorkspace::default(), Scratch::default());
    let (first, mut rest) = x.split_at(shown * HIDDEN);
    attention.remember(first, &mut cache, &mut workspace, &mut scratch);
    let mut gathered = Vec::new();
    for &part in parts {
        let (rows, after) = rest.split_at(part * HIDDEN);
        attention.gather_causally(rows, &mut cache, &mut workspace, &mut scratch);
        gathered.extend_from_slice(&workspace.context);
        rest = after;
    }
    assert!(rest.is_empty());
    gathered
}

#[test]
fn every_row_gathers_from_every_row() {
    let x = numbers(ROWS * HIDDEN, 3);
    let mut workspace = AttentionWorkspace::default();
    attention().gather(&x, &mut workspace, &mut Scratch::default());
    assert_near(&workspace.context, &definition(&x, |_, _| true));
}

#[test]
fn a_causal_row_gathers_from_what_it_was_shown_and_from_what_came_before() {
    let x = numbers(ROWS * HIDDEN, 4);
    let exact = definition(&x, |row, other| other <= row);
    for shown in [0, 1, 7, ROWS - 1] {
        assert_near(
            &in_parts(&x, shown, &[ROWS - shown]),
            &exact[shown * HIDDEN..],
        );
    }
}

#[test]
fn rows_one_at_a_time_gather_what_they_gather_together() {
    let (x, shown) = (numbers(20 * HIDDEN, 5), 7);
    let exact = definition(&x, |row, other| other <= row);
    for parts in [&[1; 13][..], &[5, 1, 1, 6], &[13]] {
        assert_near(&in_parts(&x, shown, parts), &exact[shown * HIDDEN..]);
    }
}
