//! A small vision-language model: a picture and a question in, an answer out, a token at a time; and,
//! from the same weights, labels of the picture and one vector for it.
//!
//! The picture is decoded here, in the sandbox (PNG, JPEG, WebP), and fitted into a square. A
//! convolutional encoder with attention at its end makes a few visual tokens of it (in the manner of
//! FastVLM: Vasu et al., 2024), a projector hands them to a small causal decoder, and the decoder reads
//! the question and writes the answer. The network's dimensions are those of `config.json`; its weights
//! are in `model.safetensors` and its tokens in `tokenizer.json`.
//!
//! Errors are `model.config`, `model.tokenizer` and `model.weights` when a file is wrong,
//! `model.file-size` when it is too long, `asset.*` when one is missing, `model.random` when there is no
//! randomness to sample with, and for a request: `input.image` (no picture that can be decoded),
//! `input.image-missing`, `input.empty`, `input.too-large`, `input.role`, `input.option`,
//! `input.sampling`, `input.stop`.
#![forbid(unsafe_code)]

mod config;
mod decoder;
mod generation;
mod request;
mod sampling;
mod scene;
mod stop_strings;
mod tokenization;
mod transformer;
mod vision;

use ampoule_guest::{
    Assets, Chunk, Error, GenerationRequest, Image, ImageClassification, ImageEmbedding,
    ImageEmbeddings, Label, Model, ModelInfo, Property, TextGeneration, TextTokenization, Tokens,
    Usage,
};
use ampoule_nn::Weights;

use crate::config::Config;
use crate::decoder::Decoder;
pub use crate::generation::Generation;
use crate::scene::SceneHeads;
use crate::tokenization::Tokenization;
use crate::transformer::LayerWorkspace;
use crate::vision::VisionEncoder;

/// The model.
pub struct TinyVlm {
    tokenization: Tokenization,
    vision: VisionEncoder,
    scene: SceneHeads,
    decoder: Decoder,
    weight_bytes: usize,
}

impl TinyVlm {
    /// How many tokens there are.
    pub fn vocabulary(&self) -> usize {
        self.decoder.vocabulary()
    }

    /// The logits of each token of `answer`, and of the token that ends it, when the model is asked
    /// `question` about `image` and everything before it was said as it stands: `[tokens + 1,
    /// vocabulary]`, row-major. For comparisons with other implementations of the network.
    ///
    /// # Errors
    ///
    /// `input.image` when there is no picture that can be decoded; `input.too-large` when question and
    /// answer have more tokens than the model has positions, or the picture too many pixels; `model.*`.
    pub fn logits(&self, image: &Image, question: &str, answer: &str) -> Result<Vec<f32>, Error> {
        let mut text = self.tokenization.prompt(question)?;
        let answer = self.tokenization.encode(answer)?;
        text.extend_from_slice(&answer);
        if text.len() > self.decoder.max_text_tokens() {
            return Err(Error::new(
                "input.too-large",
                format!(
                    "expected a question and an answer of at most {} tokens, found {}",
                    self.decoder.max_text_tokens(),
                    text.len()
                ),
            ));
        }
        let mut workspace = LayerWorkspace::default();
        let features = self.see(image, &mut workspace)?;
        let (_, rows) = self
            .decoder
            .prefill(&features, &text, answer.len() + 1, &mut workspace)?;
        self.decoder.logits(rows, &mut workspace)
    }

    /// The visual features `[visual tokens, hidden]` of a picture.
    fn see(&self, image: &Image, workspace: &mut LayerWorkspace) -> Result<Vec<f32>, Error> {
        let picture = ampoule_picture::decode(image)?;
        let pixels = ampoule_picture::letterbox(picture, self.vision.image_size())?;
        Ok(self.vision.encode(&pixels, workspace))
    }

    /// How many rows a picture becomes.
    fn visual_tokens(&self) -> usize {
        self.vision.visual_tokens()
    }
}

impl Model for TinyVlm {
    fn load(assets: &Assets) -> Result<Self, Error> {
        let config = Config::load(assets)?;
        // The tokenizer first: parsing it leaves a good deal of freed memory behind, which the
        // weights then fill.
        let tokenization = Tokenization::load(assets, &config)?;
        let weights = &Weights::open(assets)?;
        Ok(TinyVlm {
            tokenization,
            vision: VisionEncoder::load(weights, &config)?,
            scene: SceneHeads::load(weights, &config)?,
            decoder: Decoder::load(weights, &config)?,
            // The last field, so that all of them are counted.
            weight_bytes: weights.bytes(),
        })
    }

    fn describe(&self) -> ModelInfo {
        let property = |key: &str, value: usize| Property {
            key: key.to_owned(),
            value: value.to_string(),
        };
        let side = self.vision.image_size();
        // After the shortest question, of one token between two special ones; what is written last
        // needs no position, for it is not read.
        let max_answer = self.decoder.max_text_tokens() - 3 + 1;
        ModelInfo {
            architecture: "tiny-vlm".to_owned(),
            properties: vec![
                property("text.max-tokens", self.tokenization.max_prompt_tokens()),
                property("text.vocabulary", self.vocabulary()),
                property("embedding.dimensions", self.scene.dimensions()),
                property("image.width", side),
                property("image.height", side),
                property("generation.max-tokens", max_answer),
                property("weights.bytes", self.weight_bytes),
            ],
        }
    }
}

impl TextGeneration for TinyVlm {
    type Generation = Generation;

    fn generate(&self, request: GenerationRequest) -> Result<Generation, Error> {
        Generation::new(request, self)
    }

    fn next(&self, generation: &mut Generation) -> Result<Option<Chunk>, Error> {
        generation.next(self).map(Some)
    }
}

impl ImageClassification for TinyVlm {
    fn classify(&self, image: Image, top_k: u32) -> Result<Vec<Label>, Error> {
        let features = self.see(&image, &mut LayerWorkspace::default())?;
        let mut labels = self.scene.labels(&features)?;
        labels.truncate(top_k as usize);
        Ok(labels)
    }
}

impl ImageEmbedding for TinyVlm {
    fn embed(&self, images: &[Image]) -> Result<ImageEmbeddings, Error> {
        let mut workspace = LayerWorkspace::default();
        let mut values = Vec::with_capacity(images.len() * self.scene.dimensions());
        for (index, image) in images.iter().enumerate() {
            let features = self
                .see(image, &mut workspace)
                .map_err(|error| request::name_image(error, index, images.len()))?;
            values.extend(self.scene.embed(&features)?);
        }
        Ok(ImageEmbeddings {
            dimensions: self.scene.dimensions() as u32,
            values,
            usage: Usage {
                input_tokens: (images.len() * self.visual_tokens()) as u32,
                output_tokens: 0,
            },
        })
    }
}

impl TextTokenization for TinyVlm {
    fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error> {
        texts
            .iter()
            .map(|text| {
                Ok(Tokens {
                    ids: self.tokenization.prompt(text)?,
                    // What is too long is refused.
                    truncated: false,
                })
            })
            .collect()
    }
}
