//! The tiny VLM's logits in the sandbox equal those of the framework that trained it.
//!
//! `guest/models/tiny-vlm/train/reference.py` wrote the reference: for 50 pictures, each with a
//! question and its answer, the logits of every token of that answer.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test may panic, and prints what it measured"
)]

use std::path::PathBuf;

use ampoule::{Content, GenerationRequest, Image, Message, Model};
use ampoule_tests::{Publisher, block_on, host_trusting, test_guest, workspace_file};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Forced {
    image: String,
    question: String,
    answer: String,
    answer_ids: Vec<usize>,
}

fn folder(name: &str) -> PathBuf {
    workspace_file("guest/models/tiny-vlm").join(name)
}

/// The tensors of the reference: a length, a JSON header with the offset of each, the data.
struct Reference {
    header: Value,
    data: Vec<u8>,
}

impl Reference {
    fn read() -> Self {
        let mut file = std::fs::read(folder("parity/logits.safetensors")).unwrap();
        let length = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        let data = file.split_off(8 + length);
        Reference {
            header: serde_json::from_slice(&file[8..]).unwrap(),
            data,
        }
    }

    /// Returns the shape and the bytes of a tensor.
    fn tensor(&self, name: &str) -> (Vec<usize>, &[u8]) {
        let numbers = |field: &str| -> Vec<usize> {
            serde_json::from_value(self.header[name][field].clone()).unwrap()
        };
        let offsets = numbers("data_offsets");
        (numbers("shape"), &self.data[offsets[0]..offsets[1]])
    }
}

/// Loads the model's weights with a component that returns its logits.
fn model() -> Model {
    let acme = Publisher::new("acme");
    let mut bundle = acme
        .bundle(test_guest("tiny_vlm_logits"))
        .tasks(&["text-generation"]);
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        bundle = bundle.file(name, std::fs::read(folder("weights").join(name)).unwrap());
    }
    let bundle = bundle.write();
    block_on(host_trusting(&acme).load(bundle.path())).unwrap()
}

/// Asks the component for the logits, `[answer tokens, vocabulary]`.
async fn logits(model: &Model, picture: Image, forced: &Forced) -> Vec<Vec<f32>> {
    let message = |role: &str, content| Message {
        role: role.to_owned(),
        content,
    };
    let mut request = GenerationRequest::question("", 64);
    let question = Content::Text(forced.question.clone());
    request.messages = vec![
        message("user", vec![Content::Image(picture), question]),
        message("assistant", vec![Content::Text(forced.answer.clone())]),
    ];
    let mut generation = model.generate(request).await.unwrap();
    let mut rows = Vec::new();
    while let Some(chunk) = generation.next().await.unwrap() {
        let row = chunk.text.split_whitespace();
        rows.push(row.map(|number| number.parse().unwrap()).collect());
    }
    rows
}

/// The result of a comparison.
#[derive(Default)]
struct Comparison {
    largest_difference: f32,
    positions: usize,
    same_top: usize,
}

/// Compares the logits of all inputs. `picture` makes the picture of each, of the input and the reference's
/// pixels.
fn compare(picture: impl Fn(&Forced, Image) -> Image) -> Comparison {
    let forced = std::fs::read(folder("parity/forced.json")).unwrap();
    let forced: Vec<Forced> = serde_json::from_slice(&forced).unwrap();
    assert_eq!(forced.len(), 50);
    let reference = Reference::read();
    let model = model();
    let mut comparison = Comparison::default();
    for (number, forced) in forced.iter().enumerate() {
        let (shape, pixels) = reference.tensor(&format!("{number:02}.pixels"));
        let pixels = Image::Rgb8 {
            width: shape[1] as u32,
            height: shape[0] as u32,
            pixels: pixels.to_vec(),
        };
        let found = block_on(logits(&model, picture(forced, pixels), forced));
        let (shape, expected) = reference.tensor(&format!("{number:02}.logits"));
        // A row for every token that the reference's tokenizer found, the end included.
        assert_eq!(found.len(), forced.answer_ids.len(), "{}", forced.answer);
        assert_eq!(shape, [found.len(), found[0].len()]);
        let expected: Vec<f32> = expected
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect();
        for (found, expected) in found.iter().zip(expected.chunks_exact(found[0].len())) {
            for (a, b) in found.iter().zip(expected) {
                let difference = (a - b).abs();
                assert!(difference.is_finite());
                comparison.largest_difference = comparison.largest_difference.max(difference);
            }
            comparison.positions += 1;
            comparison.same_top += usize::from(top(found) == top(expected));
        }
    }
    comparison
}

fn top(row: &[f32]) -> usize {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.unwrap().0
}

fn print(what: &str, found: &Comparison) {
    println!(
        "{what}: largest difference {:.1e}; the top token is the same in {} of {} positions",
        found.largest_difference, found.same_top, found.positions
    );
}

#[test]
fn the_tiny_vlm_agrees_with_the_framework_that_trained_it() {
    let found = compare(|_, pixels| pixels);
    print("the same pixels", &found);
    assert!(found.largest_difference <= 1e-2);
    assert!(found.same_top * 1_000 >= found.positions * 995);
}

/// Includes decoding and resizing. The reference's decoder of JPEG rounds otherwise than the guest's.
#[test]
fn the_tiny_vlm_sees_a_file_as_the_framework_does() {
    let found = compare(|forced, _| {
        Image::Encoded(std::fs::read(folder("eval").join(&forced.image)).unwrap())
    });
    print("the same files", &found);
    assert!(found.same_top * 1_000 >= found.positions * 995);
}
