//! The whole network, pixels to logits, against its definition in f64.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_model;

use ampoule_guest::{ImageClassification as _, ImageEmbedding as _, Model as _};
use ampoule_guest_testing::reference::{self, Rows, assert_near, dot, sum};
use tiny_model::{
    ASSISTANT, BLOCKS, DIMENSIONS, EPSILON, Format, HEADS, HIDDEN, IMAGE_SIZE, LABELS, LAYERS,
    STAGES, STEM, Tensors, TinyModel, USER, VISUAL_TOKENS, VOCABULARY, image, pixels,
};

/// `[row][column][channel]`.
type Plane = Vec<Rows>;

/// The definition, as the papers have it.
struct Definition(Tensors);

impl Definition {
    fn vector(&self, name: &str) -> Vec<f64> {
        reference::vector(&self.0, name)
    }

    fn rows(&self, name: &str) -> Rows {
        reference::rows(&self.0, name)
    }

    fn linear(&self, name: &str, x: &Rows) -> Rows {
        reference::linear(&self.0, name, x)
    }

    fn norm(&self, name: &str, x: &Rows) -> Rows {
        reference::layer_norm(&self.0, name, EPSILON, x)
    }

    /// Adds each weight's share to each pixel that it reaches.
    fn convolution(&self, name: &str, x: &Plane, stride: usize) -> Plane {
        let weights = self.rows(&format!("{name}.weight"));
        let bias = self.vector(&format!("{name}.bias"));
        let channels = x[0][0].len();
        let half = |length: usize| (length - 1) / stride + 1;
        let mut y = vec![vec![bias; half(x[0].len())]; half(x.len())];
        for (output, weights) in weights.iter().enumerate() {
            for (index, weight) in weights.iter().enumerate() {
                let (u, v, c) = (index / channels / 3, index / channels % 3, index % channels);
                for (i, row) in y.iter_mut().enumerate() {
                    for (j, pixel) in row.iter_mut().enumerate() {
                        let from = (i * stride + u)
                            .checked_sub(1)
                            .and_then(|i| x.get(i))
                            .zip((j * stride + v).checked_sub(1))
                            .and_then(|(row, j)| row.get(j));
                        pixel[output] += weight * from.map_or(0.0, |from| from[c]);
                    }
                }
            }
        }
        y
    }

    /// A layer, in which row `i` sees row `j` when `sees(i, j)`.
    fn layer(&self, name: &str, x: &Rows, sees: &dyn Fn(usize, usize) -> bool) -> Rows {
        let qkv = self.linear(
            &format!("{name}.attention.qkv"),
            &self.norm(&format!("{name}.norm1"), x),
        );
        let width = HIDDEN / HEADS;
        let mut context = vec![vec![0.0; HIDDEN]; x.len()];
        for head in 0..HEADS {
            let part =
                |kind: usize| kind * HIDDEN + head * width..kind * HIDDEN + (head + 1) * width;
            for (i, row) in context.iter_mut().enumerate() {
                let powers: Vec<f64> = (0..x.len())
                    .map(|j| match sees(i, j) {
                        true => {
                            (dot(&qkv[i][part(0)], &qkv[j][part(1)]) / (width as f64).sqrt()).exp()
                        }
                        false => 0.0,
                    })
                    .collect();
                let total: f64 = powers.iter().sum();
                for (power, other) in powers.iter().zip(&qkv) {
                    for (out, value) in row[part(0)].iter_mut().zip(&other[part(2)]) {
                        *out += power / total * value;
                    }
                }
            }
        }
        let x = sum(
            x,
            &self.linear(&format!("{name}.attention.output"), &context),
        );
        let update = self.two(
            &format!("{name}.mlp"),
            &self.norm(&format!("{name}.norm2"), &x),
        );
        sum(&x, &update)
    }

    /// Up, GELU, down.
    fn two(&self, name: &str, x: &Rows) -> Rows {
        let middle = gelu(self.linear(&format!("{name}.up"), x));
        self.linear(&format!("{name}.down"), &middle)
    }

    /// The visual features of made-up pixels.
    fn features(&self, seed: u64) -> Rows {
        let pixels = pixels(seed);
        let mut x: Plane = pixels
            .chunks(IMAGE_SIZE * 3)
            .map(|row| {
                let number = |&v: &u8| (f64::from(v) / 255.0 - 0.5) / 0.25;
                row.chunks(3)
                    .map(|p| p.iter().map(number).collect())
                    .collect()
            })
            .collect();
        for stem in 0..STEM.len() {
            x = relu(self.convolution(&format!("stem.{stem}"), &x, 2));
        }
        for (stage, blocks) in BLOCKS.into_iter().enumerate() {
            for block in 0..blocks {
                let name = format!("stages.{stage}.blocks.{block}");
                let y = relu(self.convolution(&format!("{name}.conv1"), &x, 1));
                let y = self.convolution(&format!("{name}.conv2"), &y, 1);
                x = relu(x.iter().zip(&y).map(|(x, y)| sum(x, y)).collect());
            }
            x = self.convolution(&format!("stages.{stage}.down"), &x, 2);
            if stage + 1 < STAGES.len() {
                x = relu(x);
            }
        }
        let tokens: Rows = x.into_iter().flatten().collect();
        assert_eq!(tokens.len(), VISUAL_TOKENS);
        let mut x = sum(&tokens, &self.rows("encoder.positions"));
        for layer in 0..LAYERS {
            x = self.layer(&format!("encoder.layers.{layer}"), &x, &|_, _| true);
        }
        self.norm("encoder.norm", &x)
    }

    /// The logits after each token of a text.
    fn logits(&self, seed: u64, text: &[u32]) -> Rows {
        let embedding = self.rows("decoder.embedding.weight");
        let visual = self.two("projector", &self.features(seed));
        let mut x = visual.clone();
        for (&id, position) in text.iter().zip(self.rows("decoder.positions")) {
            x.extend(sum(&vec![embedding[id as usize].clone()], &vec![position]));
        }
        let sees = |i: usize, j: usize| j < VISUAL_TOKENS || (i >= VISUAL_TOKENS && j <= i);
        for layer in 0..LAYERS {
            // Every layer sees the visual tokens as the projector made them.
            x[..VISUAL_TOKENS].clone_from_slice(&visual);
            x = self.layer(&format!("decoder.layers.{layer}"), &x, &sees);
        }
        let x = self.norm("decoder.norm", &x[VISUAL_TOKENS..].to_vec());
        let row = |x: &Vec<f64>| embedding.iter().map(|e| dot(e, x)).collect();
        x.iter().map(row).collect()
    }

    /// The embedding before it is scaled.
    fn scene(&self, seed: u64) -> Rows {
        let features = self.features(seed);
        let column = |i: usize| features.iter().map(move |row| row[i]);
        let mean = (0..HIDDEN).map(|i| column(i).sum::<f64>() / VISUAL_TOKENS as f64);
        let largest = (0..HIDDEN).map(|i| column(i).fold(f64::MIN, f64::max));
        self.linear("scene.embedding", &vec![mean.chain(largest).collect()])
    }
}

fn relu(mut x: Plane) -> Plane {
    for value in x.iter_mut().flatten().flatten() {
        *value = value.max(0.0);
    }
    x
}

fn gelu(mut x: Rows) -> Rows {
    for value in x.iter_mut().flatten() {
        *value = reference::gelu(*value);
    }
    x
}

/// The ids of ASCII letters, digits and punctuation, after a space.
fn bytes(text: &str) -> Vec<u32> {
    let text = format!(" {text}");
    text.bytes().map(|byte| 4 + u32::from(byte)).collect()
}

#[test]
fn logits_are_what_the_definition_says() {
    let tiny = TinyModel::new();
    let model = tiny.load().unwrap();
    let definition = Definition(tiny.tensors);
    for (seed, question, answer) in [(1, "is it?", "no."), (2, "what", "it is one"), (3, "x", "")] {
        let mut text = vec![USER];
        text.extend(bytes(question));
        text.push(ASSISTANT);
        let prompt = text.len();
        if !answer.is_empty() {
            text.extend(bytes(answer));
        }
        let expected = definition.logits(seed, &text)[prompt - 1..].concat();
        let found = model.logits(&image(seed), question, answer).unwrap();
        assert_eq!(found.len(), (text.len() - prompt + 1) * VOCABULARY);
        assert_near(&found, &expected, 1e-4);
    }
}

#[test]
fn embeddings_are_what_the_definition_says_and_of_length_one() {
    let tiny = TinyModel::new();
    let model = tiny.load().unwrap();
    let found = model.embed(&[image(1), image(2)]).unwrap();
    assert_eq!(found.dimensions as usize, DIMENSIONS);
    assert_eq!(found.usage.input_tokens as usize, 2 * VISUAL_TOKENS);
    let definition = Definition(tiny.tensors);
    for (found, seed) in found.values.chunks(DIMENSIONS).zip([1, 2]) {
        let embedding = definition.scene(seed).concat();
        let length = dot(&embedding, &embedding).sqrt();
        let expected: Vec<f64> = embedding.iter().map(|v| v / length).collect();
        assert_near(found, &expected, 1e-5);
    }
    assert!(model.embed(&[]).unwrap().values.is_empty());
}

#[test]
fn labels_come_likeliest_first_with_the_scores_of_the_definition() {
    let tiny = TinyModel::new();
    let model = tiny.load().unwrap();
    let definition = Definition(tiny.tensors);
    for seed in 1..6 {
        let logits = definition.linear("scene.labels", &gelu(definition.scene(seed)));
        let mut expected: Vec<(f64, &str)> = logits[0]
            .iter()
            .map(|x| 1.0 / (1.0 + (-x).exp()))
            .zip(LABELS)
            .collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0));
        for top_k in [0, 1, 3, u32::MAX] {
            let found = model.classify(image(seed), top_k).unwrap();
            assert_eq!(found.len(), LABELS.len().min(top_k as usize));
            for (found, (score, name)) in found.iter().zip(&expected) {
                assert_eq!(&found.name, name);
                assert!((f64::from(found.score) - score).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn weights_may_be_stored_in_half_precision() {
    let exact = TinyModel::new().load().unwrap();
    let exact = exact.logits(&image(1), "is it?", "no.").unwrap();
    let exact: Vec<f64> = exact.into_iter().map(f64::from).collect();
    for (format, tolerance) in [(Format::F16, 0.05), (Format::BF16, 0.4)] {
        let mut tiny = TinyModel::new();
        tiny.format = format;
        let found = tiny.load().unwrap().logits(&image(1), "is it?", "no.");
        assert_near(&found.unwrap(), &exact, tolerance);
    }
}

#[test]
fn the_model_says_what_it_is() {
    let tiny = TinyModel::new();
    let info = tiny.load().unwrap().describe();
    assert_eq!(info.architecture, "tiny-vlm");
    let properties: Vec<(&str, &str)> = info
        .properties
        .iter()
        .map(|p| (p.key.as_str(), p.value.as_str()))
        .collect();
    let (&(key, bytes), properties) = properties.split_last().unwrap();
    let numbers: usize = tiny.tensors.values().map(|(_, values)| values.len()).sum();
    assert_eq!(key, "weights.bytes");
    assert!(bytes.parse::<usize>().unwrap() >= 4 * numbers, "{bytes}");
    assert_eq!(
        properties,
        [
            ("text.max-tokens", "23"),
            ("text.vocabulary", "263"),
            ("embedding.dimensions", "5"),
            ("image.width", "18"),
            ("image.height", "18"),
            ("generation.max-tokens", "22"),
        ]
    );
}
