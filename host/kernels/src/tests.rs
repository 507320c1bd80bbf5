//! Tests of every format against naive loops in binary64, over odd shapes.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use ampoule_sandbox::guest::stop::Stop;
use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::imports::bindings::ampoule::model::host_kernels as wit;
use ampoule_sandbox::imports::kernels::LayerSpec;
use bytes::Bytes;

use crate::attention::Heads;
use crate::normalization::Normalization;
use crate::packed_layer::PackedLayer;
use crate::pool::KernelThreads;
use crate::row_stage::{Activation, RowStage, RowStep};
use crate::rows::Rows;

/// Rows, inputs and the outputs of each part.
const SHAPES: &[(usize, usize, &[usize])] = &[
    (1, 1, &[1]),
    (1, 32, &[1, 1]),
    (2, 31, &[33]),
    (3, 33, &[5, 7]),
    (4, 100, &[64]),
    (5, 7, &[100]),
    (7, 257, &[63, 66]),
    (16, 384, &[384]),
    (65, 96, &[129]),
    (130, 300, &[96, 96, 96]),
    // More than one panel, and more than one block of rows.
    (67, 5_000, &[230]),
    (1, 3_000, &[1_000]),
    (5, 40_000, &[70]),
];

const FORMATS: [wit::Format; 4] = [
    wit::Format::F32,
    wit::Format::F16,
    wit::Format::Int8,
    wit::Format::Int4,
];

/// Returns numbers from -1 to 1, alike for one seed (Marsaglia's xorshift).
fn numbers(seed: u32, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Returns lengths from 1 to these.
fn drawn<const N: usize>(seed: u32, most: [usize; N]) -> [usize; N] {
    let numbers = numbers(seed + 1_000, N);
    std::array::from_fn(|i| 1 + ((numbers[i] + 1.0) / 2.0 * most[i] as f32) as usize)
}

fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// Packs a layer of these weights and this bias, out of one file in which other bytes come first.
fn pack(
    format: wit::Format,
    inputs: usize,
    parts: &[usize],
    weights: &[f32],
    bias: &[f32],
) -> (LayerSpec, PackedLayer) {
    let mut file = bytes_of(bias);
    let mut at = file.len() as u64;
    file.extend(bytes_of(weights));
    let tensor = |offset| wit::Tensor {
        file: "x".to_owned(),
        offset,
        element: wit::ElementType::F32,
    };
    let mut bias_at = 0;
    let parts = parts
        .iter()
        .map(|&outputs| {
            let part = wit::Part {
                outputs: outputs as u32,
                weights: tensor(at),
                bias: Some(tensor(bias_at)),
            };
            at += (outputs * inputs * 4) as u64;
            bias_at += (outputs * 4) as u64;
            part
        })
        .collect();
    let layer = wit::Layer {
        inputs: inputs as u32,
        parts,
        format,
    };
    let files = AssetFiles::from(BTreeMap::from([("x".to_owned(), Bytes::from(file))]));
    let spec = LayerSpec::new(layer, &files).unwrap();
    let packed = PackedLayer::pack(&spec, &files).unwrap();
    (spec, packed)
}

/// Returns the rounding error of a format's weight, as a part of the largest weight in its block.
fn rounding(format: wit::Format) -> f64 {
    match format {
        wit::Format::F32 => 0.0,
        wit::Format::F16 => 1.0 / 2048.0,
        wit::Format::Int8 => 0.5 / 127.0,
        // A whole step at the end that has no counterpart, and the scale's own rounding.
        wit::Format::Int4 => 1.0 / 8.0 + 1.0 / 1024.0,
    }
}

fn multiply(layers: &[(&PackedLayer, Activation)], x: &[f32], threads: usize) -> Vec<f32> {
    let steps = layers.iter();
    let steps = steps.map(|&(layer, activation)| RowStep::Linear(layer, activation));
    run(layers[0].0.inputs(), steps, x, &[], threads).0
}

/// Computes steps for rows of so many numbers, and returns the output and the kept rows. As many numbers of each row
/// are kept before.
fn run<'a>(
    inputs: usize,
    steps: impl IntoIterator<Item = RowStep<'a>>,
    x: &[f32],
    kept: &[f32],
    threads: usize,
) -> (Vec<f32>, Vec<f32>) {
    let x = Rows::new(x, inputs);
    let mut stage = RowStage::new(inputs, kept.len() / x.count().max(1));
    steps.into_iter().for_each(|step| stage.push(step));
    let threads = KernelThreads::new(threads).unwrap();
    let mut kept = kept.to_vec();
    let y = threads.run(|| stage.run(x, &mut kept, threads.count(), || Ok(())));
    (y.unwrap(), kept)
}

#[test]
fn every_format_multiplies_as_naive_loops_do_and_takes_no_more_memory_than_is_counted() {
    let drawn = (0..24).map(|seed| {
        let [rows, inputs, first, second] = drawn(seed, [70, 300, 90, 90]);
        (rows, inputs, vec![first, second])
    });
    let given = SHAPES.iter();
    let given = given.map(|&(rows, inputs, parts)| (rows, inputs, parts.to_vec()));
    for (index, (rows, inputs, parts)) in given.chain(drawn).enumerate() {
        let parts = &parts[..];
        let outputs: usize = parts.iter().sum();
        let seed = index as u32 * 3;
        let x = numbers(seed + 1, rows * inputs);
        let weights = numbers(seed + 2, outputs * inputs);
        let bias = numbers(seed + 3, outputs);
        let expected = products(&x, &weights, &bias, inputs);
        let sizes: Vec<f64> = x.chunks(inputs).map(size).collect();
        for format in FORMATS {
            let (spec, layer) = pack(format, inputs, parts, &weights, &bias);
            let (held, counted) = (layer.bytes() as u64, spec.packed_bytes().bytes());
            assert!(
                held <= counted,
                "{format:?} {inputs} {outputs}: {held} {counted}"
            );
            // Both sides of the product are rounded in bytes, rows twice.
            let x_rounding = match format {
                wit::Format::Int8 => inputs as f64 * 0.5 / (63.0 * 2.0 * 63.0),
                _ => 0.0,
            };
            for threads in [1, 2] {
                let y = multiply(&[(&layer, Activation::None)], &x, threads);
                assert_eq!(y.len(), expected.len());
                for (at, (&y, expected)) in y.iter().zip(&expected).enumerate() {
                    let size = sizes[at / outputs];
                    let allowed = size * (rounding(format) + 1e-6) + x_rounding + 1e-5;
                    let off = (f64::from(y) - expected).abs();
                    assert!(
                        off <= allowed,
                        "{format:?} {rows}x{inputs}x{outputs} [{at}]: {y} {expected}"
                    );
                }
            }
        }
    }
}

/// Computes `x·wᵀ + b` in binary64.
fn products(x: &[f32], weights: &[f32], bias: &[f32], inputs: usize) -> Vec<f64> {
    let wide = |numbers: &[f32]| numbers.iter().map(|n| f64::from(*n)).collect::<Vec<_>>();
    let (x, weights) = (wide(x), wide(weights));
    let row = |x: &[f64]| {
        let products = weights.chunks(inputs).zip(bias);
        products
            .map(|(w, bias)| x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() + f64::from(*bias))
            .collect::<Vec<_>>()
    };
    x.chunks(inputs).flat_map(row).collect()
}

/// Returns the sum of the absolute values.
fn size(numbers: &[f32]) -> f64 {
    numbers.iter().map(|n| f64::from(n.abs())).sum()
}

/// Compares mean errors: the bounds above are of the worst case, and rounding errs much less on the whole.
#[test]
fn the_error_of_each_format_is_what_its_bits_allow() {
    let (rows, inputs, outputs) = (20, 512, 128);
    let (x, weights) = (numbers(1, rows * inputs), numbers(2, outputs * inputs));
    let bias = vec![0.0; outputs];
    let (_, exact) = pack(wit::Format::F32, inputs, &[outputs], &weights, &bias);
    let exact = multiply(&[(&exact, Activation::None)], &x, 1);
    let squares = |numbers: &[f32]| numbers.iter().map(|n| f64::from(*n).powi(2)).sum::<f64>();
    for (format, allowed) in FORMATS.into_iter().zip([1e-7, 5e-4, 1e-2, 1.2e-1]) {
        let (_, layer) = pack(format, inputs, &[outputs], &weights, &bias);
        // One row at a time goes another way than many.
        let together = multiply(&[(&layer, Activation::None)], &x, 1);
        let alone: Vec<f32> = x
            .chunks(inputs)
            .flat_map(|x| multiply(&[(&layer, Activation::None)], x, 1))
            .collect();
        for y in [together, alone] {
            let off: Vec<f32> = y.iter().zip(&exact).map(|(y, e)| y - e).collect();
            let share = (squares(&off) / squares(&exact)).sqrt();
            assert!(share <= allowed, "{format:?}: {share}");
        }
    }
}

#[test]
fn steps_follow_one_another_with_their_activations() {
    let (rows, inner, middle) = (70, 48, 200);
    let x = numbers(1, rows * inner);
    let (up, down) = (numbers(2, middle * inner), numbers(3, middle * inner));
    let (up_bias, down_bias) = (numbers(4, middle), numbers(5, inner));
    let (_, first) = pack(wit::Format::F32, inner, &[middle], &up, &up_bias);
    let (_, second) = pack(wit::Format::F32, middle, &[inner], &down, &down_bias);
    for activation in [
        Activation::None,
        Activation::Relu,
        Activation::Gelu,
        Activation::Silu,
    ] {
        let one = multiply(&[(&first, activation), (&second, Activation::None)], &x, 1);
        let plain = multiply(&[(&first, Activation::None)], &x, 1);
        let active: Vec<f32> = plain.iter().map(|&x| expected(activation, x)).collect();
        let two = multiply(&[(&second, Activation::None)], &active, 1);
        for (one, two) in one.iter().zip(&two) {
            assert!((one - two).abs() < 1e-4, "{activation:?}: {one} {two}");
        }
    }
}

/// Computes an activation by its definition, in binary64. The error function is its series
/// (Abramowitz and Stegun, 7.1.6).
fn expected(activation: Activation, x: f32) -> f32 {
    let wide = f64::from(x);
    let value = match activation {
        Activation::None => wide,
        Activation::Relu => wide.max(0.0),
        Activation::Silu => wide / (1.0 + (-wide).exp()),
        Activation::Gelu => wide / 2.0 * (1.0 + erf(wide / std::f64::consts::SQRT_2)),
    };
    value as f32
}

fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    sum * (-x * x).exp() * 2.0 / std::f64::consts::PI.sqrt()
}

#[test]
fn activations_are_right_and_pass_on_what_is_no_number() {
    let (_, identity) = pack(wit::Format::F32, 1, &[1], &[1.0], &[0.0]);
    let values: Vec<f32> = (-1_200..=1_200).map(|i| i as f32 / 100.0).collect();
    for activation in [Activation::Relu, Activation::Gelu, Activation::Silu] {
        let found = multiply(&[(&identity, activation)], &values, 1);
        for (found, &x) in found.iter().zip(&values) {
            let right = expected(activation, x);
            let off = (found - right).abs();
            assert!(
                off <= 1e-6 * x.abs().max(1.0),
                "{activation:?} {x}: {found} {right}"
            );
        }
        let found = multiply(&[(&identity, activation)], &[f32::NAN, f32::INFINITY], 1);
        assert!(found[0].is_nan(), "{activation:?}");
        assert_eq!(found[1], f32::INFINITY, "{activation:?}");
    }
}

#[test]
fn weights_that_are_no_numbers_make_none_of_their_own_outputs_only() {
    let (inputs, outputs) = (64, 3);
    let x = numbers(1, 6 * inputs);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut weights = numbers(2, outputs * inputs);
        weights[inputs + 5] = bad;
        for format in FORMATS {
            let (_, layer) = pack(format, inputs, &[outputs], &weights, &[0.0; 3]);
            for rows in [1, 6] {
                let y = multiply(&[(&layer, Activation::None)], &x[..rows * inputs], 1);
                for y in y.chunks(outputs) {
                    let finite = [0, 1, 2].map(|output| y[output].is_finite());
                    assert_eq!(finite, [true, false, true], "{format:?} {bad}: {y:?}");
                }
            }
        }
    }
}

#[test]
fn rows_of_next_to_nothing_come_to_next_to_nothing() {
    let weights = numbers(1, 64 * 3);
    let tiny = f32::MIN_POSITIVE / 16.0;
    for format in FORMATS {
        let (_, layer) = pack(format, 64, &[3], &weights, &[1.0; 3]);
        for value in [0.0, tiny, -tiny, 1e-36, f32::from_bits(1)] {
            let mut x = vec![0.0; 128];
            x[5] = value;
            x[70] = value;
            let y = multiply(&[(&layer, Activation::None)], &x, 1);
            assert_eq!(y, [1.0; 6], "{format:?} {value:e}");
        }
    }
}

#[test]
fn halves_in_the_files_are_read_as_what_they_are() {
    // 1.5, -2 and the largest, in binary16 and as the upper half of binary32.
    let halves: [(wit::ElementType, [u16; 3]); 2] = [
        (wit::ElementType::F16, [0x3e00, 0xc000, 0x7bff]),
        (wit::ElementType::Bf16, [0x3fc0, 0xc000, 0x477f]),
    ];
    for (element, bits) in halves {
        let file: Vec<u8> = bits.iter().flat_map(|b| b.to_le_bytes()).collect();
        let files = AssetFiles::from(BTreeMap::from([("x".to_owned(), Bytes::from(file))]));
        let tensor = |offset| wit::Tensor {
            file: "x".to_owned(),
            offset,
            element,
        };
        let layer = wit::Layer {
            inputs: 1,
            parts: vec![wit::Part {
                outputs: 2,
                weights: tensor(0),
                bias: Some(tensor(2)),
            }],
            format: wit::Format::F32,
        };
        let spec = LayerSpec::new(layer, &files).unwrap();
        let layer = PackedLayer::pack(&spec, &files).unwrap();
        let y = multiply(&[(&layer, Activation::None)], &[2.0], 1);
        assert_eq!(y[0], 1.5 * 2.0 - 2.0, "{element:?}");
        assert!(y[1] > 60_000.0, "{element:?}: {y:?}");
    }
}

#[test]
fn a_call_stops_before_its_next_block() {
    let (rows, inputs, outputs) = (640, 64, 64);
    let weights = numbers(1, outputs * inputs);
    let (_, layer) = pack(wit::Format::F32, inputs, &[outputs], &weights, &[0.0; 64]);
    let x = numbers(2, rows * inputs);
    let mut stage = RowStage::new(inputs, 0);
    stage.push(RowStep::Linear(&layer, Activation::None));
    let asked = AtomicUsize::new(0);
    let stopped = stage.run(Rows::new(&x, inputs), &mut Vec::new(), 1, || {
        if asked.fetch_add(1, Ordering::Relaxed) == 2 {
            return Err(Stop::Deadline.into());
        }
        Ok(())
    });
    let stopped = stopped.unwrap_err();
    assert_eq!(stopped.downcast_ref::<Stop>(), Some(&Stop::Deadline));
    assert_eq!(asked.into_inner(), 3);
}

/// Normalises each row in binary64.
fn normalized(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) -> Vec<f64> {
    let length = weight.len() as f64;
    let row = |row: &[f32]| {
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / length;
        let squares = row.iter().map(|&x| (f64::from(x) - mean).powi(2));
        let deviation = (squares.sum::<f64>() / length + f64::from(epsilon)).sqrt();
        let parameters = weight.iter().zip(bias);
        row.iter()
            .zip(parameters)
            .map(|(&x, (&w, &b))| (f64::from(x) - mean) / deviation * f64::from(w) + f64::from(b))
            .collect::<Vec<_>>()
    };
    x.chunks(weight.len()).flat_map(row).collect()
}

#[test]
fn rows_are_kept_added_and_normalised_as_naive_loops_do() {
    let given = [
        (1, 1, 1),
        (2, 5, 3),
        (33, 64, 17),
        (70, 48, 200),
        (300, 5_000, 2),
    ];
    let drawn = (0..16).map(|seed| drawn(seed, [90, 120, 90]).into());
    for (rows, length, middle) in given.into_iter().chain(drawn) {
        let x = numbers(rows as u32, rows * length);
        let before = numbers(rows as u32 + 1, rows * length);
        let (weight, bias) = (numbers(2, length), numbers(3, length));
        let (up, down) = (numbers(4, middle * length), numbers(5, middle * length));
        let (up_bias, down_bias) = (numbers(6, middle), numbers(7, length));
        let (_, first) = pack(wit::Format::F32, length, &[middle], &up, &up_bias);
        let (_, second) = pack(wit::Format::F32, middle, &[length], &down, &down_bias);
        let epsilon = 1e-2;
        let normalize = || RowStep::Normalize(Normalization::new(&weight, &bias, epsilon).unwrap());
        let none = Activation::None;

        // Step by step, each rounded once.
        let narrow = |wide: Vec<f64>| wide.iter().map(|&x| x as f32).collect::<Vec<_>>();
        let sum = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a + b).collect::<Vec<_>>();
        let added = sum(&x, &before);
        let even = narrow(normalized(&added, &weight, &bias, epsilon));
        let through = narrow(products(&even, &up, &up_bias, length));
        let through = narrow(products(&through, &down, &down_bias, middle));
        let expected = sum(&through, &added);

        for threads in [1, 3] {
            let steps = [
                RowStep::AddKept,
                RowStep::Keep,
                normalize(),
                RowStep::Linear(&first, none),
                RowStep::Linear(&second, none),
                RowStep::AddKept,
                RowStep::Keep,
            ];
            let (y, kept) = run(length, steps, &x, &before, threads);
            let most = (size(&up) / length as f64).max(1.0) * size(&down) / length as f64 + 10.0;
            for (y, expected) in y.iter().zip(&expected) {
                let off = f64::from((y - expected).abs());
                assert!(
                    off < 1e-5 * most,
                    "{rows} {length} {middle}: {y} {expected}"
                );
            }
            assert_eq!(y.len(), expected.len());
            assert_eq!(kept, y);
            // What nothing is done to stays as it was; what was added is gone.
            let (_, kept) = run(length, [normalize()], &x, &before, threads);
            assert_eq!(kept, before);
            let (_, kept) = run(length, [RowStep::AddKept], &x, &before, threads);
            assert_eq!(kept, Vec::<f32>::new());
        }
    }
}

#[test]
fn a_normalisation_has_as_many_biases_as_weights_and_passes_on_what_is_no_number() {
    assert!(Normalization::new(&[], &[], 0.0).is_none());
    assert!(Normalization::new(&[1.0, 2.0], &[1.0], 0.0).is_none());
    let normalization = Normalization::new(&[1.0; 9], &[0.0; 9], 1e-5).unwrap();
    for odd in [f32::NAN, f32::INFINITY] {
        let mut rows = numbers(1, 18);
        rows[4] = odd;
        normalization.apply(&mut rows);
        assert!(rows[4].is_nan() && rows[9..].iter().all(|x| x.is_finite()));
    }
}

/// Computes `softmax(q·kᵀ / √width)·v` of one head in binary64, from rows of queries, keys and values.
fn attended(x: &[f32], count: usize, width: usize, head: usize) -> Vec<f64> {
    let rows: Vec<&[f32]> = x.chunks(3 * count * width).collect();
    let part = |row: &[f32], of: usize| -> Vec<f64> {
        let first = (of * count + head) * width;
        row[first..first + width]
            .iter()
            .map(|&x| x.into())
            .collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut y = Vec::new();
    for row in &rows {
        let query = part(row, 0);
        let scores = rows.iter().map(|row| dot(&query, &part(row, 1)));
        let powers: Vec<f64> = scores
            .map(|score| (score / (width as f64).sqrt()).exp())
            .collect();
        let sum: f64 = powers.iter().sum();
        let mut found = vec![0.0; width];
        for (power, row) in powers.iter().zip(&rows) {
            for (found, value) in found.iter_mut().zip(part(row, 2)) {
                *found += power / sum * value;
            }
        }
        y.extend(found);
    }
    y
}

#[test]
fn attention_is_that_of_naive_loops() {
    let given = [
        (1, 1, 1),
        (2, 3, 5),
        (7, 12, 32),
        (33, 4, 64),
        (130, 5, 24),
        // More than one block.
        (600, 3, 32),
    ];
    let drawn = (0..12).map(|seed| drawn(seed, [60, 13, 70]).into());
    for (rows, count, width) in given.into_iter().chain(drawn) {
        let length = 3 * count * width;
        let x: Vec<f32> = numbers(rows as u32, rows * length)
            .iter()
            .map(|x| x * 3.0)
            .collect();
        let heads = Heads::new(count, length).unwrap();
        assert_eq!(heads.outputs(), count * width);
        for threads in [1, 2] {
            let threads = KernelThreads::new(threads).unwrap();
            let rows_of_x = Rows::new(&x, length);
            let y = threads.run(|| heads.attend(rows_of_x, threads.count(), || Ok(())));
            let y = y.unwrap();
            assert_eq!(y.len(), rows * count * width);
            for head in 0..count {
                let expected = attended(&x, count, width, head);
                for (row, expected) in expected.chunks(width).enumerate() {
                    let found = &y[row * count * width + head * width..][..width];
                    for (found, expected) in found.iter().zip(expected) {
                        let off = (f64::from(*found) - expected).abs();
                        assert!(off < 2e-5, "{rows} {count} {width}: {found} {expected}");
                    }
                }
            }
        }
    }
}

#[test]
fn heads_share_their_rows_evenly_and_are_not_too_wide() {
    assert!(Heads::new(12, 1_152).is_some());
    assert!(Heads::new(1, 3 * 1_024).is_some());
    for (count, row) in [
        (0, 1_152),
        (12, 1_153),
        (12, 0),
        (1, 3 * 1_025),
        (385, 1_152),
        (usize::MAX, 3),
        (usize::MAX / 3 + 1, 3),
    ] {
        assert!(Heads::new(count, row).is_none(), "{count} {row}");
    }
}

#[test]
fn attention_stops_before_its_next_block() {
    let heads = Heads::new(2, 6).unwrap();
    let x = numbers(1, 1_000 * 6);
    let asked = Cell::new(0);
    let stopped = heads.attend(Rows::new(&x, 6), 1, || {
        asked.set(asked.get() + 1);
        if asked.get() == 4 {
            return Err(Stop::Deadline.into());
        }
        Ok(())
    });
    let stopped = stopped.unwrap_err();
    assert_eq!(stopped.downcast_ref::<Stop>(), Some(&Stop::Deadline));
    assert_eq!(asked.get(), 4);
}

/// The list comes from a process that has worked on a stranger's bytes, or out of the cache.
#[test]
fn a_description_that_does_not_fit_the_files_is_not_packed() {
    let (spec, _) = pack(wit::Format::F32, 8, &[8], &numbers(1, 64), &[0.0; 8]);
    let smaller = AssetFiles::from(BTreeMap::from([(
        "x".to_owned(),
        Bytes::from(vec![0; 287]),
    )]));
    assert!(PackedLayer::pack(&spec, &smaller).is_err());
    let others = AssetFiles::from(BTreeMap::from([(
        "y".to_owned(),
        Bytes::from(vec![0; 288]),
    )]));
    assert!(PackedLayer::pack(&spec, &others).is_err());
}
