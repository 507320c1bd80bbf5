//! Layers of a network by their definition, in f64: to compare a model's with.

use crate::normal_distribution;
use crate::safetensors::Tensors;

/// Vectors, one a token or one a pixel.
pub type Rows = Vec<Vec<f64>>;

/// Returns the numbers of a tensor.
#[must_use]
pub fn vector(tensors: &Tensors, name: &str) -> Vec<f64> {
    tensors[name].1.iter().map(|&v| f64::from(v)).collect()
}

/// Returns a tensor as rows of all dimensions but the first.
#[must_use]
pub fn rows(tensors: &Tensors, name: &str) -> Rows {
    let rows = tensors[name].0[0];
    let all = vector(tensors, name);
    all.chunks(all.len() / rows).map(<[f64]>::to_vec).collect()
}

/// Applies the linear layer `{name}.weight` and `{name}.bias` to each row.
#[must_use]
pub fn linear(tensors: &Tensors, name: &str, x: &Rows) -> Rows {
    let weights = rows(tensors, &format!("{name}.weight"));
    let bias = vector(tensors, &format!("{name}.bias"));
    let row = |x: &Vec<f64>| {
        let outputs = weights.iter().zip(&bias);
        outputs.map(|(w, b)| dot(w, x) + b).collect()
    };
    x.iter().map(row).collect()
}

/// Applies the layer normalisation `{name}.weight` and `{name}.bias` to each row.
#[must_use]
pub fn layer_norm(tensors: &Tensors, name: &str, epsilon: f64, x: &Rows) -> Rows {
    let weight = vector(tensors, &format!("{name}.weight"));
    let bias = vector(tensors, &format!("{name}.bias"));
    let row = |row: &Vec<f64>| {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        let variance = row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / row.len() as f64;
        (0..row.len())
            .map(|i| (row[i] - mean) / (variance + epsilon).sqrt() * weight[i] + bias[i])
            .collect()
    };
    x.iter().map(row).collect()
}

/// The Gaussian error linear unit.
#[must_use]
pub fn gelu(x: f64) -> f64 {
    x * normal_distribution(x)
}

/// The sum of the products of two vectors of one length.
///
/// # Panics
///
/// When the lengths differ.
#[must_use]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The sum of each two numbers of as many rows.
///
/// # Panics
///
/// When there are not as many.
#[must_use]
pub fn sum(a: &Rows, b: &Rows) -> Rows {
    assert_eq!(a.len(), b.len());
    let add = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect();
    a.iter().zip(b).map(add).collect()
}

/// Checks that each number is nearer to the expected one than `tolerance`.
///
/// # Panics
///
/// When one is not, or there are not as many.
#[track_caller]
pub fn assert_near(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(found) - expected).abs() < tolerance,
            "{i}: {found} for {expected}"
        );
    }
}
