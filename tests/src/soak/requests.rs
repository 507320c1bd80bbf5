//! Good requests, whose answers are known beforehand, and bad ones, which the host refuses.

use ampoule::{Content, GenerationRequest, Image, Message, Sampling};

use super::chance::Chance;
use super::outcome::{Outcome, stopped, wrong};
use super::world::World;
use crate::pictures::png_header;

/// Difference between figures that were summed in another order.
const TOLERANCE: f32 = 1e-5;

impl World {
    /// Asks the good model for any task.
    pub(super) async fn good(&self, chance: &mut Chance) -> Outcome {
        let task = chance.below(5);
        let words = { 1 + chance.below(8) };
        let texts: Vec<String> = (0..=chance.below(3))
            .map(|_| chance.words(words).join(" "))
            .collect();
        let (image, means) = picture(chance);
        let model = self.model();
        match task {
            0 => {
                let answer = self.patiently(async || model.tokenize(&texts).await).await;
                let answer = answer.map_err(wrong("tokenize"))?.output;
                let found: Vec<_> = answer.into_iter().map(|tokens| tokens.ids).collect();
                let bytes = texts
                    .iter()
                    .map(|text| text.bytes().map(u32::from).collect());
                same("tokenize", &found, &bytes.collect::<Vec<Vec<u32>>>())
            }
            1 => {
                let answer = self
                    .patiently(async || model.embed_text(&texts).await)
                    .await;
                let answer = answer.map_err(wrong("embed text"))?.output;
                let expected: Vec<f32> = texts.iter().flat_map(|text| histogram(text)).collect();
                close("embed text", &answer.values, &expected)
            }
            2 => {
                let ask = async || model.embed_images(vec![image.clone(); 2]).await;
                let answer = self.patiently(ask).await.map_err(wrong("embed images"))?;
                close("embed images", &answer.output.values, &means.repeat(2))
            }
            3 => {
                let ask = async || model.classify_image(image.clone(), 3).await;
                let labels = self.patiently(ask).await.map_err(wrong("classify"))?.output;
                let light: f32 = means.iter().sum();
                let mut expected: Vec<f32> = means.iter().map(|mean| mean / light).collect();
                expected.sort_by(|a, b| b.total_cmp(a));
                let found: Vec<f32> = labels.iter().map(|label| label.score).collect();
                close("classify", &found, &expected)
            }
            _ => self.generated(&texts[0]).await,
        }
    }

    /// Reads a generation to its end; the model repeats the question.
    async fn generated(&self, text: &str) -> Outcome {
        let model = self.model();
        let ask = async || model.generate(GenerationRequest::question(text, 100)).await;
        let generation = self.patiently(ask).await;
        let mut generation = generation.map_err(wrong("generate"))?;
        let mut said = String::new();
        while let Some(chunk) = generation.next().await.map_err(wrong("a chunk"))? {
            said.push_str(&chunk.text);
        }
        same("generate", said.as_str(), text)
    }

    /// Asks the built-in model, which has a network and is no echo.
    pub(super) async fn built_in(&self, chance: &mut Chance) -> Outcome {
        let (question, expected) = chance.one_of(&self.questions);
        let ask = async || question.ask(&self.built_in).await;
        let answer = self
            .patiently(ask)
            .await
            .map_err(wrong("the built-in model"))?;
        same("ask the built-in model", &answer, expected)
    }

    /// Sends a request that is refused with a known code.
    pub(super) async fn bad(&self, chance: &mut Chance) -> Outcome {
        let model = self.model();
        let question = |text: &str| GenerationRequest::question(text, 10);
        let (error, code) = match chance.below(8) {
            0 => {
                let texts = ["x".repeat(1_001 + chance.below(1_000) as usize)];
                (model.embed_text(&texts).await.err(), "input.too-large")
            }
            1 => {
                let texts = vec!["x"; 257];
                (model.tokenize(&texts).await.err(), "input.too-large")
            }
            2 => {
                let cut = rgb8(2, 2, vec![0; 11]);
                (model.classify_image(cut, 1).await.err(), "input.invalid")
            }
            3 => {
                // A row of pixels over the limit, as the header tells.
                let large = Image::Encoded(png_header(4_096, 4_097));
                (
                    model.classify_image(large, 1).await.err(),
                    "input.too-large",
                )
            }
            4 => {
                let mut request = question("x");
                request.sampling = Sampling {
                    temperature: -1.0,
                    ..Sampling::GREEDY
                };
                (model.generate(request).await.err(), "input.invalid")
            }
            5 => {
                let mut request = question("x");
                request.messages.push(Message {
                    role: "judge".to_owned(),
                    content: vec![Content::Text("y".to_owned())],
                });
                let ask = async || model.generate(request.clone()).await;
                (self.patiently(ask).await.err(), "input.role")
            }
            6 => {
                let mut request = question("x");
                request.options.push(("mood".to_owned(), "good".to_owned()));
                let ask = async || model.generate(request.clone()).await;
                (self.patiently(ask).await.err(), "input.option")
            }
            _ => {
                let tokens = self.of_one_task().tokenize(&["x"]).await;
                (tokens.err(), "usage.task")
            }
        };
        stopped("a bad request", error, &[code])
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, found: &T, expected: &T) -> Outcome {
    if found == expected {
        Ok(format!("good: {what}"))
    } else {
        Err(format!("{what}: {found:?} instead of {expected:?}"))
    }
}

fn close(what: &str, found: &[f32], expected: &[f32]) -> Outcome {
    let is_close = found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() <= TOLERANCE);
    if is_close {
        Ok(format!("good: {what}"))
    } else {
        Err(format!("{what}: {found:?} instead of {expected:?}"))
    }
}

/// Computes the good model's embedding of a text: the counts of its bytes' remainders by 8, normalised to length 1.
fn histogram(text: &str) -> [f32; 8] {
    let mut counts = [0.0_f32; 8];
    for byte in text.bytes() {
        counts[usize::from(byte % 8)] += 1.0;
    }
    let norm = counts.iter().map(|count| count * count).sum::<f32>().sqrt();
    counts.map(|count| count / norm)
}

/// Makes a small picture, and the mean of each colour in it, from 0 to 1.
fn picture(chance: &mut Chance) -> (Image, Vec<f32>) {
    let (width, height) = (1 + chance.below(6) as u32, 1 + chance.below(6) as u32);
    let bytes = width * height * 3;
    let pixels: Vec<u8> = (0..bytes).map(|_| 1 + chance.below(255) as u8).collect();
    let mean = |channel: usize| {
        let values = pixels.iter().skip(channel).step_by(3);
        values.map(|value| f32::from(*value)).sum::<f32>() / (width * height) as f32 / 255.0
    };
    let means = vec![mean(0), mean(1), mean(2)];
    (rgb8(width, height, pixels), means)
}

fn rgb8(width: u32, height: u32, pixels: Vec<u8>) -> Image {
    Image::Rgb8 {
        width,
        height,
        pixels,
    }
}
