//! Any bytes as what a guest hands to the host: its answers, its errors, its messages. The caller gets an answer
//! of the contract's shape and within the limits, or that the guest failed; and the model serves on.

use std::sync::OnceLock;

use ampoule::{Answer, Content, Error, Finish, GenerationRequest, Image, Message, Model, Task};
use ampoule_tests::{block_on, wat_guest};

use super::answering_guests::{
    CHUNKS, LONGEST, assert_failed, assert_handed_over, assert_report, bundle, host,
};

/// An answer to `embed` of one text: the vector [1.0], and a text that is not truncated.
const GOOD: [u32; 17] = [
    32,
    0,
    0,
    0,
    0,
    0,
    0,
    0, // the answer is at 32
    0,
    1,
    64,
    1,
    4,
    1,
    0,
    0, // ok, 1 dimension, the values at 64, the flags at 4, nothing used
    0x3f80_0000,
];

/// The first byte says what is asked, the second how much of it, and the others are what is answered.
pub(super) fn check(bytes: &[u8]) {
    let [task, count, answer @ ..] = bytes else {
        return;
    };
    let answer = answer.get(..LONGEST).unwrap_or(answer);
    let count = usize::from(*count % 4);
    let model = model();
    match task % 5 {
        0 => tokenize(model, answer, count),
        1 => embed_texts(model, answer, count),
        2 => embed_images(model, answer, count),
        3 => classify(model, answer, count),
        _ => generate(model, answer),
    }
    let good: Vec<u8> = GOOD.iter().flat_map(|word| word.to_le_bytes()).collect();
    let vector = block_on(model.embed_text(&texts(&good, 1))).unwrap();
    assert_eq!(vector.output.values, [1.0]);
}

fn tokenize(model: &Model, answer: &[u8], count: usize) {
    let Some(tokens) = checked(block_on(model.tokenize(&texts(answer, count)))) else {
        return;
    };
    assert_eq!(tokens.len(), texts(answer, count).len());
    assert_handed_over(tokens.iter().map(|tokens| 4 * tokens.ids.len()).sum());
}

fn embed_texts(model: &Model, answer: &[u8], count: usize) {
    let texts = texts(answer, count);
    let Some(embeddings) = checked(block_on(model.embed_text(&texts))) else {
        return;
    };
    assert_eq!(embeddings.truncated.len(), texts.len());
    assert_eq!(embeddings.values.len(), embeddings.dimensions * texts.len());
    assert_eq!(embeddings.vectors().len(), texts.len());
    assert!(embeddings.values.iter().all(|value| value.is_finite()));
    assert_handed_over(4 * embeddings.values.len() + embeddings.truncated.len());
}

fn embed_images(model: &Model, answer: &[u8], count: usize) {
    let images: Vec<Image> = std::iter::repeat_with(|| image(answer))
        .take(count.max(1))
        .collect();
    let count = images.len();
    let Some(embeddings) = checked(block_on(model.embed_images(images))) else {
        return;
    };
    assert_eq!(embeddings.images, count);
    assert_eq!(embeddings.values.len(), embeddings.dimensions * count);
    assert_eq!(embeddings.vectors().len(), count);
    assert!(embeddings.values.iter().all(|value| value.is_finite()));
    assert_handed_over(4 * embeddings.values.len());
}

fn classify(model: &Model, answer: &[u8], count: usize) {
    let top_k = u32::try_from(count).unwrap();
    let Some(labels) = checked(block_on(model.classify_image(image(answer), top_k))) else {
        return;
    };
    assert!(labels.len() <= count);
    assert!(labels.iter().all(|label| label.score.is_finite()));
    assert_handed_over(labels.iter().map(|label| 4 + label.name.len()).sum());
}

fn generate(model: &Model, answer: &[u8]) {
    let request = GenerationRequest {
        messages: vec![Message {
            role: "user".to_owned(),
            content: vec![Content::Image(image(answer))],
        }],
        ..GenerationRequest::question("", 1)
    };
    block_on(async {
        let mut generation = match model.generate(request).await {
            Ok(generation) => generation,
            Err(error) => return assert_failed(&error),
        };
        for asked in 0.. {
            assert!(asked <= CHUNKS);
            match generation.next().await {
                Ok(Some(chunk)) => {
                    assert_report(&generation.report());
                    let Finish { reason, .. } = chunk.finish.unwrap_or_else(no_finish);
                    assert_handed_over(chunk.text.len() + reason.len());
                }
                Ok(None) => break,
                Err(error) => {
                    assert_failed(&error);
                    let after = generation.next().await.unwrap_err();
                    assert_eq!(after.code(), "usage.generation");
                    break;
                }
            }
        }
    });
}

fn no_finish() -> Finish {
    Finish {
        reason: String::new(),
        usage: ampoule::Usage::default(),
    }
}

/// Returns the answer; `None` if the guest failed in one of the ways in which it may.
fn checked<T>(result: Result<Answer<T>, Error>) -> Option<T> {
    match result {
        Ok(answer) => {
            assert_report(&answer.sandbox);
            Some(answer.output)
        }
        Err(error) => {
            assert_failed(&error);
            None
        }
    }
}

/// The bytes as a text of as many characters, and more texts up to that many.
fn texts(answer: &[u8], count: usize) -> Vec<String> {
    let mut texts = vec![answer.iter().copied().map(char::from).collect()];
    texts.resize(count.max(1), String::new());
    texts
}

/// The bytes as a row of pixels.
fn image(answer: &[u8]) -> Image {
    let width = answer.len().div_ceil(3).max(1);
    let mut pixels = answer.to_vec();
    pixels.resize(3 * width, 0);
    Image::Rgb8 {
        width: u32::try_from(width).unwrap(),
        height: 1,
        pixels,
    }
}

/// The guest that answers with its input, compiled once.
fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let component = wat_guest("answers_with_its_input");
        let bundle = bundle(component, &Task::ALL.map(Task::name));
        block_on(host().load_bundle(bundle)).unwrap()
    })
}
