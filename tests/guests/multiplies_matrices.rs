//! A good guest that does nothing but matrix products, for `cargo xtask bench`. A text asks for one of
//! `rows × inputs × outputs` in f32, so and so often: `128x384x1536 20`. Or, as `rotate 20`, for products of one
//! row with the matrices of four bits that its bundle asks for: `matrix.f32` holds one, `matrices.txt`
//! says its outputs, its inputs and how many copies there are, which the host keeps and multiplies with where
//! it grants that. They are taken by turns, after each of them once that does not count, so that it takes no
//! longer to ask for the first time. The vector is the beginning of the product's first row and the end of its
//! last, sixteen numbers each.
//!
//! Promise: none; what a product takes is told by how much longer a request for many takes. Expected:
//! the same numbers as anywhere.

use ampoule_guest::host_kernels::{
    self, Activation, ElementType, Format, HostLayer, Layer, Part, Tensor,
};
use ampoule_guest::{Assets, Embeddings, Error, Model, ModelInfo, TextEmbedding, Usage};
use ampoule_kernels::{Epilogue, MatrixMut, MatrixRef, PackedMatrix, Precision, Scratch, linear};

/// Numbers of either end of a product that are returned.
const SAMPLE: usize = 16;

struct Multiplier {
    copies: Copies,
}

/// Copies of one matrix: more than caches hold.
enum Copies {
    Sandbox(Vec<PackedMatrix>),
    Host(Vec<HostLayer>),
}

impl Model for Multiplier {
    fn load(assets: &Assets) -> Result<Self, Error> {
        let copies = match assets.size("matrices.txt") {
            Err(missing) if missing.code == "asset.not-found" => Copies::Sandbox(Vec::new()),
            size => {
                size?;
                copies(assets)?
            }
        };
        Ok(Multiplier { copies })
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
            let asked = text.split_once(' ').and_then(|(what, times)| {
                let times = times.parse().ok()?;
                match what {
                    "rotate" => rotate(&self.copies, times),
                    _ => Some(product(shape(what)?, times)),
                }
            });
            values.extend(asked.ok_or_else(|| {
                Error::new(
                    "input.text",
                    "expected a product such as `128x384x1536 20`, of sixteen outputs at least, or `rotate 20`",
                )
            })?);
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

/// Both ends of a product in f32, zeros where it is asked for no times.
fn product([m, k, n]: [usize; 3], times: usize) -> Vec<f32> {
    let x: Vec<f32> = (0..m * k).map(value).collect();
    let weights: Vec<f32> = (0..n * k).map(value).collect();
    let mut packer = PackedMatrix::packer(Precision::F32, n, k);
    packer.push(&weights);
    multiply([m, k, n], &x, &[packer.finish()], times)
}

/// Both ends of a row's product; `None` where there are no matrices.
fn rotate(copies: &Copies, times: usize) -> Option<Vec<f32>> {
    let row = |inputs| (0..inputs).map(value).collect::<Vec<_>>();
    match copies {
        Copies::Sandbox(matrices) => {
            let (inputs, outputs) = (matrices.first()?.inputs(), matrices.first()?.outputs());
            let shape = [1, inputs, outputs];
            let times = matrices.len() + times;
            Some(multiply(shape, &row(inputs), matrices, times))
        }
        Copies::Host(layers) => {
            let x = row(layers.first()?.inputs());
            let mut y = Vec::new();
            for layer in layers.iter().cycle().take(layers.len() + times) {
                y = host_kernels::apply(&[layer.then(Activation::None)], &x);
            }
            Some(ends(&y))
        }
    }
}

/// Multiplies so and so often, with one matrix after another.
fn multiply([m, k, n]: [usize; 3], x: &[f32], by: &[PackedMatrix], times: usize) -> Vec<f32> {
    let mut y = vec![0.0; m * n];
    let mut scratch = Scratch::default();
    for matrix in by.iter().cycle().take(times) {
        linear(
            MatrixRef::new(x, m, k),
            matrix,
            None,
            Epilogue::STORE,
            &mut MatrixMut::new(&mut y, m, n),
            &mut scratch,
        );
    }
    ends(&y)
}

fn ends(y: &[f32]) -> Vec<f32> {
    [&y[..SAMPLE], &y[y.len() - SAMPLE..]].concat()
}

/// The matrices that the bundle asks for.
fn copies(assets: &Assets) -> Result<Copies, Error> {
    let config = || Error::new("model.config", "expected `OUTPUTS INPUTS COPIES`");
    let text = assets.read_to_string("matrices.txt", 100)?;
    let numbers = text.split_whitespace().map(|word| word.parse().ok());
    let numbers: Option<Vec<usize>> = numbers.collect();
    let numbers = numbers.ok_or_else(config)?;
    let [outputs, inputs, count] = numbers[..] else {
        return Err(config());
    };
    if host_kernels::granted() {
        let layer = host_layer(outputs, inputs);
        let layers = (0..count).map(|_| HostLayer::pack(&layer));
        return Ok(Copies::Host(layers.collect::<Result<_, _>>()?));
    }
    let mut packer = PackedMatrix::packer(Precision::Int4, outputs, inputs);
    let bytes = 4 * outputs * inputs;
    assets.read_pieces("matrix.f32", 0, bytes as u64, |piece| {
        let (values, _) = piece.as_chunks();
        let values: Vec<f32> = values.iter().copied().map(f32::from_le_bytes).collect();
        packer.push(&values);
        Ok(())
    })?;
    Ok(Copies::Sandbox(vec![packer.finish(); count]))
}

fn host_layer(outputs: usize, inputs: usize) -> Layer {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Layer {
        inputs: length(inputs),
        parts: vec![Part {
            outputs: length(outputs),
            weights: Tensor {
                file: "matrix.f32".to_owned(),
                offset: 0,
                element: ElementType::F32,
            },
            bias: None,
        }],
        format: Format::Int4,
    }
}

fn shape(asked: &str) -> Option<[usize; 3]> {
    let sides: Option<Vec<usize>> = asked.split('x').map(|side| side.parse().ok()).collect();
    let shape: [usize; 3] = sides?.try_into().ok()?;
    let [m, k, n] = shape;
    (m > 0 && k > 0 && n >= SAMPLE).then_some(shape)
}

/// The element at `index` of a matrix, in [-0.5, 0.5): the same as in the other engines.
fn value(index: usize) -> f32 {
    let bits = (index as u32).wrapping_mul(2_654_435_769) >> 8;
    bits as f32 / 16_777_216.0 - 0.5
}

ampoule_guest::export_model!(Multiplier: TextEmbedding);
