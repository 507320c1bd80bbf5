//! A good guest that does nothing but matrix products, for `cargo xtask bench`: each text asks for one
//! of `rows × inputs × outputs`, so and so often: `128x384x1536 20`. Its vector is the beginning of
//! the product's first row and the end of its last, sixteen numbers each.
//!
//! Promise: none; what a product takes is told by how much longer a request for many takes. Expected:
//! the same numbers as anywhere.

use ampoule_guest::{Assets, Embeddings, Error, Model, ModelInfo, TextEmbedding, Usage};
use ampoule_kernels::{Epilogue, MatrixMut, MatrixRef, PackedMatrix, Precision, Scratch, linear};

/// How many numbers of either end of a product are returned.
const SAMPLE: usize = 16;

struct Multiplier;

impl Model for Multiplier {
    fn load(_assets: &Assets) -> Result<Self, Error> {
        Ok(Multiplier)
    }

    fn describe(&self) -> ModelInfo {
        ModelInfo {
            architecture: "product".to_owned(),
            properties: Vec::new(),
        }
    }
}

impl TextEmbedding for Multiplier {
    fn embed(&self, texts: &[String]) -> Result<Embeddings, Error> {
        let mut values = Vec::new();
        for text in texts {
            values.extend(product(text)?);
        }
        Ok(Embeddings {
            dimensions: 2 * SAMPLE as u32,
            values,
            truncated: vec![false; texts.len()],
            usage: Usage {
                input_tokens: 0,
                output_tokens: 0,
            },
        })
    }
}

/// Both ends of what is asked for, zeros where it is asked for no times.
fn product(asked: &str) -> Result<Vec<f32>, Error> {
    let (m, k, n, times) = parse(asked).ok_or_else(|| {
        Error::new(
            "input.text",
            "expected a product such as `128x384x1536 20`, of sixteen outputs at least",
        )
    })?;
    let x: Vec<f32> = (0..m * k).map(value).collect();
    let weights: Vec<f32> = (0..n * k).map(value).collect();
    let mut packer = PackedMatrix::packer(Precision::F32, n, k);
    packer.push(&weights);
    let packed = packer.finish();
    let mut y = vec![0.0; m * n];
    let mut scratch = Scratch::default();
    for _ in 0..times {
        linear(
            MatrixRef::new(&x, m, k),
            &packed,
            None,
            Epilogue::STORE,
            &mut MatrixMut::new(&mut y, m, n),
            &mut scratch,
        );
    }
    Ok([&y[..SAMPLE], &y[y.len() - SAMPLE..]].concat())
}

fn parse(asked: &str) -> Option<(usize, usize, usize, u32)> {
    let (shape, times) = asked.split_once(' ')?;
    let mut sides = shape.split('x').map(|side| side.parse().ok());
    let (m, k, n) = (sides.next()??, sides.next()??, sides.next()??);
    let is_whole = sides.next().is_none() && m > 0 && k > 0 && n >= SAMPLE;
    is_whole.then_some((m, k, n, times.parse().ok()?))
}

/// The element at `index` of a matrix, in [-0.5, 0.5): the same as in the other engines.
fn value(index: usize) -> f32 {
    let bits = (index as u32).wrapping_mul(2_654_435_769) >> 8;
    bits as f32 / 16_777_216.0 - 0.5
}

ampoule_guest::export_model!(Multiplier: TextEmbedding);
