//! A good guest: every task, each with a small and true behaviour that a test can compute by
//! itself.
//!
//! - Tokens are the bytes of the UTF-8 text, and there are at most 512 of them.
//! - A text's embedding is the histogram of its tokens modulo 8, L2-normalised; zeros for no tokens.
//! - A picture's embedding is its mean red, green and blue, each from 0 to 1; its labels are `red`,
//!   `green` and `blue`, each with its share of the light. Encoded pictures are `unsupported`.
//! - A generation repeats the last user message, one word a chunk and one word a token: in order
//!   when greedy (`temperature` 0 or `top-k` 1), shuffled by the seed otherwise. A picture in it is
//!   the word `[WIDTHxHEIGHT]`; of an encoded one, which has to be a PNG here, only the header is read.
//!
//! Promise: what the contract offers works. Expected: answers, `input.*` where the request is wrong.

use std::cell::RefCell;

use ampoule_test_guests::image_classification::Label;
use ampoule_test_guests::lifecycle::ModelInfo;
use ampoule_test_guests::text_generation::{
    Chunk, Content, Finish, GenerationRequest, GuestGeneration, Message, Sampling,
};
use ampoule_test_guests::text_tokenization::Tokens;
use ampoule_test_guests::types::Rgb8Image;
use ampoule_test_guests::{Embeddings, Error, Image, Property, Usage, image_embedding};
use ampoule_test_guests::{
    export_image_classification, export_image_embedding, export_lifecycle, export_text_embedding,
    export_text_generation, export_text_tokenization, ordinary, random,
};

export_lifecycle!(ordinary::init, describe);
export_text_tokenization!(tokenize);
export_text_embedding!(embed_texts);
export_image_embedding!(embed_images);
export_image_classification!(classify);
export_text_generation!(generate => Echo);

const MAX_TOKENS: usize = 512;
const DIMENSIONS: usize = 8;

fn describe() -> ModelInfo {
    let property = |key: &str, value: usize| Property {
        key: key.to_owned(),
        value: value.to_string(),
    };
    ModelInfo {
        architecture: "test".to_owned(),
        properties: vec![
            property("text.max-tokens", MAX_TOKENS),
            property("text.vocabulary", 256),
        ],
    }
}

/// The tokens that the model reads, and whether there were more.
fn tokens(text: &str) -> (&[u8], bool) {
    let bytes = text.as_bytes();
    (
        &bytes[..bytes.len().min(MAX_TOKENS)],
        bytes.len() > MAX_TOKENS,
    )
}

fn tokenize(texts: Vec<String>) -> Result<Vec<Tokens>, Error> {
    let answers = texts.iter().map(|text| {
        let (bytes, truncated) = tokens(text);
        Tokens {
            ids: bytes.iter().copied().map(u32::from).collect(),
            truncated,
        }
    });
    Ok(answers.collect())
}

fn embed_texts(texts: Vec<String>) -> Result<Embeddings, Error> {
    let mut answer = ordinary::embeddings(&texts, &[0.0; DIMENSIONS]);
    answer.usage.input_tokens = 0;
    for (i, row) in answer.values.chunks_exact_mut(DIMENSIONS).enumerate() {
        let (bytes, truncated) = tokens(&texts[i]);
        for byte in bytes {
            row[usize::from(*byte) % DIMENSIONS] += 1.0;
        }
        let norm = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= norm.max(1.0));
        answer.truncated[i] = truncated;
        answer.usage.input_tokens += bytes.len() as u32;
    }
    Ok(answer)
}

/// The pixels of a picture that is not encoded, once they are as many as it says.
fn pixels(image: &Image) -> Result<&Rgb8Image, Error> {
    match image {
        Image::Encoded(_) => Err(ordinary::error(
            "unsupported",
            "expected pixels, found an encoded picture; decode it first",
        )),
        Image::Rgb8(image) => {
            let expected = u64::from(image.width) * u64::from(image.height) * 3;
            if expected == 0 || expected != image.pixels.len() as u64 {
                return Err(ordinary::error(
                    "input.image",
                    format!(
                        "expected {expected} bytes of pixels, found {}",
                        image.pixels.len()
                    ),
                ));
            }
            Ok(image)
        }
    }
}

/// Width and height, of pixels or of a PNG ("Image header" in its specification).
fn size(image: &Image) -> Result<(u32, u32), Error> {
    if let Image::Encoded(bytes) = image
        && bytes.starts_with(b"\x89PNG")
        && let Some(size) = bytes.get(16..24)
    {
        let number = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|i| size[at + i]));
        return Ok((number(0), number(4)));
    }
    let image = pixels(image)?;
    Ok((image.width, image.height))
}

/// Mean red, green and blue, each from 0 to 1.
fn mean_colour(image: &Image) -> Result<[f32; 3], Error> {
    let image = pixels(image)?;
    let mut sums = [0_u64; 3];
    for pixel in image.pixels.chunks_exact(3) {
        for (sum, channel) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(*channel);
        }
    }
    let all_white = image.pixels.len() as f64 / 3.0 * 255.0;
    Ok(sums.map(|sum| (sum as f64 / all_white) as f32))
}

fn embed_images(images: Vec<Image>) -> Result<image_embedding::Embeddings, Error> {
    let means = images
        .iter()
        .map(mean_colour)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(image_embedding::Embeddings {
        dimensions: 3,
        values: means.concat(),
        usage: Usage {
            input_tokens: images.len() as u32,
            output_tokens: 0,
        },
    })
}

fn classify(image: Image, top_k: u32) -> Result<Vec<Label>, Error> {
    let means = mean_colour(&image)?;
    let light: f32 = means.iter().sum();
    let mut labels: Vec<_> = ["red", "green", "blue"]
        .into_iter()
        .zip(means)
        .map(|(name, mean)| Label {
            name: name.to_owned(),
            score: if light > 0.0 { mean / light } else { 1.0 / 3.0 },
        })
        .collect();
    labels.sort_by(|a, b| b.score.total_cmp(&a.score));
    labels.truncate(top_k as usize);
    Ok(labels)
}

/// The chunks to come, a word each, in reverse.
pub struct Echo {
    chunks: RefCell<Vec<Chunk>>,
}

impl GuestGeneration for Echo {
    fn next(&self) -> Result<Option<Chunk>, Error> {
        Ok(self.chunks.borrow_mut().pop())
    }
}

fn generate(request: GenerationRequest) -> Result<Echo, Error> {
    if let Some(option) = request.options.first() {
        return Err(ordinary::error(
            "input.option",
            format!("expected no options, found `{}`; leave it out", option.key),
        ));
    }
    let mut input_tokens = 0;
    let mut words = Vec::new();
    for message in &request.messages {
        let said = words_of(message)?;
        input_tokens += said.len() as u32;
        match message.role.as_str() {
            "user" => words = said,
            "system" | "assistant" => {}
            role => {
                return Err(ordinary::error(
                    "input.role",
                    format!("expected `system`, `user` or `assistant`, found `{role}`"),
                ));
            }
        }
    }
    shuffle(&mut words, &request.sampling);

    let mut reason = "stop";
    if words.len() > request.max_output_tokens as usize {
        words.truncate(request.max_output_tokens as usize);
        reason = "length";
    }
    let mut text = words.join(" ");
    let stops = request.stop.iter().filter(|stop| !stop.is_empty());
    if let Some(end) = stops.filter_map(|stop| text.find(stop)).min() {
        text.truncate(end);
        reason = "stop-string";
    }

    let mut pieces: Vec<_> = text.split_inclusive(' ').map(str::to_owned).collect();
    let finish = Finish {
        reason: reason.to_owned(),
        usage: Usage {
            input_tokens,
            output_tokens: pieces.len() as u32,
        },
    };
    let last = Chunk {
        text: pieces.pop().unwrap_or_default(),
        finish: Some(finish),
    };
    let before = pieces
        .into_iter()
        .rev()
        .map(|text| Chunk { text, finish: None });
    Ok(Echo {
        chunks: RefCell::new(std::iter::once(last).chain(before).collect()),
    })
}

fn words_of(message: &Message) -> Result<Vec<String>, Error> {
    let mut words = Vec::new();
    for content in &message.content {
        match content {
            Content::Text(text) => words.extend(text.split_ascii_whitespace().map(str::to_owned)),
            Content::Image(image) => {
                let (width, height) = size(image)?;
                words.push(format!("[{width}x{height}]"));
            }
        }
    }
    Ok(words)
}

/// Fisher and Yates's shuffle, with the random numbers of `SplitMix64` (Steele, Lea and Flood 2014).
fn shuffle(words: &mut [String], sampling: &Sampling) {
    if sampling.temperature == 0.0 || sampling.top_k == 1 {
        return;
    }
    let mut state = sampling.seed.unwrap_or_else(random::get_random_u64);
    for i in (1..words.len()).rev() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        words.swap(i, (z % (i as u64 + 1)) as usize);
    }
}
