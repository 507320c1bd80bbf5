//! The tasks that the model serves.

use ampoule_guest::{
    Assets, Chunk, Error, GenerationRequest, Image, ImageClassification, ImageEmbedding,
    ImageEmbeddings, Label, Model, ModelInfo, Property, TextGeneration, TextTokenization, Tokens,
    Usage,
};
use ampoule_picture::name_picture;

use crate::generation::Generation;
use crate::network::Network;
use crate::transformer::LayerWorkspace;

/// The model.
pub struct TinyVlm(Network);

impl TinyVlm {
    /// Returns how many tokens there are.
    pub fn vocabulary(&self) -> usize {
        self.0.decoder.vocabulary()
    }

    /// Returns the logits of each token of `answer`, and of the token that ends it, when the model is asked
    /// `question` about `image` and everything before it was said as it stands: `[tokens + 1,
    /// vocabulary]`, row-major. For comparisons with other implementations of the network.
    ///
    /// # Errors
    ///
    /// `input.image` when there is no picture that can be decoded; `input.too-large` when question and
    /// answer have more tokens than the model has positions, or the picture too many pixels; `model.*`.
    pub fn logits(&self, image: &Image, question: &str, answer: &str) -> Result<Vec<f32>, Error> {
        self.0.logits(image, question, answer)
    }
}

impl Model for TinyVlm {
    fn load(assets: &Assets) -> Result<Self, Error> {
        Network::load(assets).map(TinyVlm)
    }

    fn describe(&self) -> ModelInfo {
        let property = |key: &str, value: usize| Property {
            key: key.to_owned(),
            value: value.to_string(),
        };
        let side = self.0.vision.image_size();
        // After the shortest question, of one token between two special ones; what is written last
        // needs no position, for it is not read.
        let max_answer = self.0.decoder.max_text_tokens() - 3 + 1;
        ModelInfo {
            architecture: "tiny-vlm".to_owned(),
            properties: vec![
                property("text.max-tokens", self.0.tokenization.max_prompt_tokens()),
                property("text.vocabulary", self.vocabulary()),
                property("embedding.dimensions", self.0.scene.dimensions()),
                property("image.width", side),
                property("image.height", side),
                property("generation.max-tokens", max_answer),
                property("weights.bytes", self.0.weight_bytes),
            ],
        }
    }
}

impl TextGeneration for TinyVlm {
    type Generation = Generation;

    fn generate(&self, request: GenerationRequest) -> Result<Generation, Error> {
        Generation::new(request, &self.0)
    }

    fn next(&self, generation: &mut Generation) -> Result<Option<Chunk>, Error> {
        generation.next(&self.0).map(Some)
    }
}

impl ImageClassification for TinyVlm {
    fn classify(&self, image: Image, top_k: u32) -> Result<Vec<Label>, Error> {
        let features = self.0.see(&image, &mut LayerWorkspace::default())?;
        let mut labels = self.0.scene.labels(&features)?;
        labels.truncate(top_k as usize);
        Ok(labels)
    }
}

impl ImageEmbedding for TinyVlm {
    fn embed(&self, images: &[Image]) -> Result<ImageEmbeddings, Error> {
        let mut workspace = LayerWorkspace::default();
        let mut values = Vec::with_capacity(images.len() * self.0.scene.dimensions());
        for (index, image) in images.iter().enumerate() {
            let features = self
                .0
                .see(image, &mut workspace)
                .map_err(|error| name_picture(error, index, images.len()))?;
            values.extend(self.0.scene.embed(&features)?);
        }
        Ok(ImageEmbeddings {
            dimensions: self.0.scene.dimensions() as u32,
            values,
            usage: Usage {
                input_tokens: (images.len() * self.0.visual_tokens()) as u32,
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
                    ids: self.0.tokenization.prompt(text)?,
                    // What is too long is refused.
                    truncated: false,
                })
            })
            .collect()
    }
}
