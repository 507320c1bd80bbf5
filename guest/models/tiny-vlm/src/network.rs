//! The network and its tokenizer: pictures and token ids in, visual features and logits out.

use ampoule_guest::{Assets, Error, Image};
use ampoule_nn::Weights;

use crate::config::Config;
use crate::decoder::Decoder;
use crate::scene::SceneHeads;
use crate::tokenization::Tokenization;
use crate::transformer::LayerWorkspace;
use crate::vision::VisionEncoder;

/// All parts of the model.
pub(crate) struct Network {
    pub(crate) tokenization: Tokenization,
    pub(crate) vision: VisionEncoder,
    pub(crate) scene: SceneHeads,
    pub(crate) decoder: Decoder,
    pub(crate) weight_bytes: usize,
}

impl Network {
    /// Reads the model's three files.
    ///
    /// # Errors
    ///
    /// `model.config`, `model.tokenizer`, `model.weights`; `model.file-size`; `asset.*`.
    pub(crate) fn load(assets: &Assets) -> Result<Self, Error> {
        let config = Config::load(assets)?;
        // The tokenizer first: parsing it leaves a good deal of freed memory behind, which the
        // weights then fill.
        let tokenization = Tokenization::load(assets, &config)?;
        let weights = &Weights::open(assets)?;
        Ok(Network {
            tokenization,
            vision: VisionEncoder::load(weights, &config)?,
            scene: SceneHeads::load(weights, &config)?,
            decoder: Decoder::load(weights, &config)?,
            // The last field, so that all of them are counted.
            weight_bytes: weights.bytes(),
        })
    }

    /// Returns the visual features `[visual tokens, hidden]` of a picture.
    ///
    /// # Errors
    ///
    /// `input.image` when it cannot be decoded; `input.too-large` when it has too many pixels.
    pub(crate) fn see(
        &self,
        image: &Image,
        workspace: &mut LayerWorkspace,
    ) -> Result<Vec<f32>, Error> {
        let picture = ampoule_picture::decode(image)?;
        let pixels = ampoule_picture::letterbox(picture, self.vision.image_size())?;
        Ok(self.vision.encode(&pixels, workspace))
    }

    /// Returns how many rows a picture becomes.
    pub(crate) fn visual_tokens(&self) -> usize {
        self.vision.visual_tokens()
    }

    /// Returns the logits `[tokens + 1, vocabulary]` behind an answer; see [`TinyVlm::logits`](crate::TinyVlm::logits).
    pub(crate) fn logits(
        &self,
        image: &Image,
        question: &str,
        answer: &str,
    ) -> Result<Vec<f32>, Error> {
        let mut text = self.tokenization.prompt(question)?;
        let answer = self.tokenization.plain().encode(answer)?;
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
}
