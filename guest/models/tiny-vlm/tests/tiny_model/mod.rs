//! A vision-language model of a few thousand weights, made up, with dimensions that no kernel likes.

#![allow(dead_code, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::collections::BTreeMap;

use ampoule_guest::{
    Assets, Content, Error, GenerationRequest, Image, Message, Model as _, Rgb8Image, Sampling,
};
pub(crate) use ampoule_guest_testing::safetensors::{self, Format, Tensors};
use ampoule_guest_testing::{numbers, tokenizer_json};
use ampoule_tiny_vlm::TinyVlm;
use serde_json::{Value, json};

/// Halves to 9, 5, 3, 2: odd sides, where the border matters.
pub(crate) const IMAGE_SIZE: usize = 18;
pub(crate) const STEM: [usize; 2] = [5, 6];
pub(crate) const STAGES: [usize; 2] = [6, 7];
pub(crate) const BLOCKS: [usize; 2] = [1, 2];
pub(crate) const VISUAL_TOKENS: usize = 4;
pub(crate) const HIDDEN: usize = 12;
pub(crate) const HEADS: usize = 3;
pub(crate) const INTERMEDIATE: usize = 17;
pub(crate) const LAYERS: usize = 2;
pub(crate) const POSITIONS: usize = 24;
pub(crate) const DIMENSIONS: usize = 5;
pub(crate) const LABELS: [&str; 3] = ["red", "square", "small"];
pub(crate) const EPSILON: f64 = 1e-5;

/// Special tokens, then the 256 bytes, then two words.
pub(crate) const SPECIAL: [&str; 4] = ["<pad>", "<user>", "<assistant>", "<end>"];
pub(crate) const USER: u32 = 1;
pub(crate) const ASSISTANT: u32 = 2;
pub(crate) const END: u32 = 3;
pub(crate) const VOCABULARY: usize = 4 + 256 + 3;

/// The files of a bundle, before they are written.
pub(crate) struct TinyModel {
    pub(crate) config: Value,
    pub(crate) tokenizer: Value,
    pub(crate) tensors: Tensors,
    pub(crate) format: Format,
}

impl TinyModel {
    pub(crate) fn new() -> Self {
        TinyModel {
            config: json!({
                "model_type": "ampoule-tiny-vlm",
                "image_size": IMAGE_SIZE,
                "stem_channels": STEM,
                "stage_channels": STAGES,
                "stage_blocks": BLOCKS,
                "hidden_size": HIDDEN,
                "num_attention_heads": HEADS,
                "intermediate_size": INTERMEDIATE,
                "encoder_layers": LAYERS,
                "decoder_layers": LAYERS,
                "max_text_positions": POSITIONS,
                "vocab_size": VOCABULARY,
                "embedding_dimensions": DIMENSIONS,
                "layer_norm_eps": EPSILON,
                "labels": LABELS,
            }),
            tokenizer: tokenizer(),
            tensors: tensors(),
            format: Format::F32,
        }
    }

    /// The files by name.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([
            (
                "config.json".to_owned(),
                self.config.to_string().into_bytes(),
            ),
            (
                "tokenizer.json".to_owned(),
                self.tokenizer.to_string().into_bytes(),
            ),
            (
                "model.safetensors".to_owned(),
                safetensors::file(&self.tensors, self.format),
            ),
        ])
    }

    pub(crate) fn load(&self) -> Result<TinyVlm, Error> {
        load(self.files())
    }
}

pub(crate) fn load(files: BTreeMap<String, Vec<u8>>) -> Result<TinyVlm, Error> {
    TinyVlm::load(&Assets::from_source(files))
}

/// Pixels of the size that the network sees, made up from a seed: noise over a colour.
pub(crate) fn pixels(seed: u64) -> Vec<u8> {
    let colour = numbers(3, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    numbers(IMAGE_SIZE * IMAGE_SIZE * 3, seed)
        .iter()
        .zip(colour.iter().cycle())
        .map(|(noise, colour)| (128.0 + 30.0 * noise + 90.0 * colour) as u8)
        .collect()
}

pub(crate) fn image(seed: u64) -> Image {
    Image::Rgb8(Rgb8Image {
        width: IMAGE_SIZE as u32,
        height: IMAGE_SIZE as u32,
        pixels: pixels(seed),
    })
}

/// A question about pictures, to be answered greedily and as long as it takes.
pub(crate) fn ask(images: Vec<Image>, question: &str) -> GenerationRequest {
    let mut content: Vec<Content> = images.into_iter().map(Content::Image).collect();
    content.push(Content::Text(question.to_owned()));
    GenerationRequest {
        messages: vec![Message {
            role: "user".to_owned(),
            content,
        }],
        sampling: Sampling {
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            seed: None,
        },
        max_output_tokens: 1000,
        stop: Vec::new(),
        options: Vec::new(),
    }
}

/// With settings for padding, truncation and special tokens that the guest must ignore.
fn tokenizer() -> Value {
    let mut tokenizer =
        tokenizer_json::byte_level(&SPECIAL, &[["r", "e"], ["re", "d"], ["Ġ", "a"]]);
    tokenizer["truncation"] = tokenizer_json::truncation();
    tokenizer["padding"] = tokenizer_json::padding("<pad>");
    tokenizer["post_processor"] = tokenizer_json::template(&[("<user>", USER)], &[]);
    tokenizer
}

fn tensors() -> Tensors {
    let mut tensors = Tensors::new();
    let mut seed = 1;
    // Spread so that what goes through a layer keeps its size.
    let mut add = |name: String, shape: &[usize]| {
        seed += 1;
        let inputs: usize = shape.iter().skip(1).product();
        let spread = 1.7 / (inputs as f32).sqrt();
        let values = numbers(shape.iter().product(), seed);
        let values = values.iter().map(|v| v * spread).collect();
        tensors.insert(name, (shape.to_vec(), values));
    };
    let mut layer = |name: String, shape: &[usize]| {
        add(format!("{name}.weight"), shape);
        add(format!("{name}.bias"), &shape[..1]);
    };
    layer("stem.0".to_owned(), &[STEM[0], 3, 3, 3]);
    layer("stem.1".to_owned(), &[STEM[1], 3, 3, STEM[0]]);
    for stage in 0..STAGES.len() {
        let channels = STAGES[stage];
        for block in 0..BLOCKS[stage] {
            for conv in ["conv1", "conv2"] {
                let name = format!("stages.{stage}.blocks.{block}.{conv}");
                layer(name, &[channels, 3, 3, channels]);
            }
        }
        let next = STAGES.get(stage + 1).copied().unwrap_or(HIDDEN);
        layer(format!("stages.{stage}.down"), &[next, 3, 3, channels]);
    }
    for part in ["encoder", "decoder"] {
        for index in 0..LAYERS {
            let name = |rest: &str| format!("{part}.layers.{index}.{rest}");
            layer(name("attention.qkv"), &[3 * HIDDEN, HIDDEN]);
            layer(name("attention.output"), &[HIDDEN, HIDDEN]);
            layer(name("mlp.up"), &[INTERMEDIATE, HIDDEN]);
            layer(name("mlp.down"), &[HIDDEN, INTERMEDIATE]);
            layer(name("norm1"), &[HIDDEN]);
            layer(name("norm2"), &[HIDDEN]);
        }
        layer(format!("{part}.norm"), &[HIDDEN]);
    }
    for name in ["projector.up", "projector.down"] {
        layer(name.to_owned(), &[HIDDEN, HIDDEN]);
    }
    layer("scene.embedding".to_owned(), &[DIMENSIONS, 2 * HIDDEN]);
    layer("scene.labels".to_owned(), &[LABELS.len(), DIMENSIONS]);
    add("encoder.positions".to_owned(), &[VISUAL_TOKENS, HIDDEN]);
    add("decoder.positions".to_owned(), &[POSITIONS, HIDDEN]);
    add("decoder.embedding.weight".to_owned(), &[VOCABULARY, HIDDEN]);
    tensors
}
