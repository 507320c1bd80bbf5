//! `config.json`: the dimensions of the network.

use ampoule_guest::{Assets, Error};
use ampoule_model_files::bounds::{in_range, layer_norm_epsilon, shared_by_heads};
use ampoule_model_files::error;
use ampoule_model_files::json_file::read_json;
use serde::Deserialize;

const FILE: &str = "config.json";

/// A configuration is a few KiB.
const MAX_BYTES: usize = 1 << 20;

/// Upper bound of a width of the network: far above a small model, and small enough that the product of two
/// and a small factor can be counted in 32 bits.
const MAX_DIMENSION: usize = 1 << 13;

/// Tokens that may have an embedding.
const MAX_VOCABULARY: usize = 1 << 18;

/// Upper bound of things that come one after another: layers, blocks, stages.
const MAX_REPEATS: usize = 1 << 8;

/// The side of the picture that the network sees, in pixels.
const MAX_IMAGE_SIDE: usize = 1 << 10;

/// Bytes that the numbers of a picture may take between two convolutions. The bound is two hundred times a small
/// model's need, and a few such planes can still be counted, and addressed, in 32 bits.
const MAX_PLANE_BYTES: usize = 1 << 26;

/// Positions of text.
const MAX_TEXT_POSITIONS: usize = 1 << 14;

/// The configuration. Settings that this guest has no use for are ignored.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    model_type: String,
    /// The side of the square that a picture is fitted into, in pixels.
    pub(crate) image_size: usize,
    /// Outputs of the convolutions that come first, each of which halves the picture.
    pub(crate) stem_channels: Vec<usize>,
    /// The width of each stage of residual blocks. After each stage the picture is halved.
    pub(crate) stage_channels: Vec<usize>,
    /// Blocks of each stage.
    pub(crate) stage_blocks: Vec<usize>,
    /// The width of a token's row.
    pub(crate) hidden_size: usize,
    /// Heads of a layer's attention; they share the hidden width evenly.
    pub(crate) num_attention_heads: usize,
    /// The width between the two halves of a feed-forward network.
    pub(crate) intermediate_size: usize,
    /// Transformer layers over the visual tokens.
    pub(crate) encoder_layers: usize,
    /// Transformer layers over the text, which sees the visual tokens.
    pub(crate) decoder_layers: usize,
    /// Positions of text that have an embedding.
    pub(crate) max_text_positions: usize,
    /// Tokens that have an embedding.
    pub(crate) vocab_size: usize,
    /// The length of a picture's embedding.
    pub(crate) embedding_dimensions: usize,
    /// Summand of the variance in a layer normalisation.
    pub(crate) layer_norm_eps: f32,
    /// Labels of a picture.
    pub(crate) labels: Vec<String>,
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    ///
    /// `model.config` when it does not parse, a dimension is out of range, or dimensions do not go
    /// together; `asset.*`; `model.file-size`.
    pub(crate) fn load(assets: &Assets) -> Result<Self, Error> {
        let config: Config = read_json(assets, FILE, MAX_BYTES)?;
        config.check()?;
        Ok(config)
    }

    /// Returns the side of the grid of visual tokens: the picture's, halved by each convolution of stride 2.
    pub(crate) fn token_side(&self) -> usize {
        self.planes()
            .last()
            .map_or(self.image_size, |(side, _)| side)
    }

    /// Returns the picture's shape after each convolution: the side of a square of pixels, and the channels of a
    /// pixel. A stage's blocks leave both as they are.
    fn planes(&self) -> impl Iterator<Item = (usize, usize)> {
        let halved = self
            .stem_channels
            .iter()
            .chain(self.stage_channels.iter().skip(1))
            .chain([&self.hidden_size])
            .scan(self.image_size, |side, &channels| {
                *side = side.div_ceil(2);
                Some((*side, channels))
            });
        [(self.image_size, 3)].into_iter().chain(halved)
    }

    /// Returns how many rows a picture becomes.
    pub(crate) fn visual_tokens(&self) -> usize {
        self.token_side() * self.token_side()
    }

    fn check(&self) -> Result<(), Error> {
        if self.model_type != "ampoule-tiny-vlm" {
            return Err(error::config(format!(
                "this guest serves `model_type` `ampoule-tiny-vlm`; `{FILE}` has `{}`",
                self.model_type.escape_default()
            )));
        }
        for (name, found, most) in [
            ("image_size", self.image_size, MAX_IMAGE_SIDE),
            ("stem_channels", self.stem_channels.len(), MAX_REPEATS),
            ("stage_channels", self.stage_channels.len(), MAX_REPEATS),
            ("hidden_size", self.hidden_size, MAX_DIMENSION),
            (
                "num_attention_heads",
                self.num_attention_heads,
                MAX_DIMENSION,
            ),
            ("intermediate_size", self.intermediate_size, MAX_DIMENSION),
            ("encoder_layers", self.encoder_layers, MAX_REPEATS),
            ("decoder_layers", self.decoder_layers, MAX_REPEATS),
            (
                "max_text_positions",
                self.max_text_positions,
                MAX_TEXT_POSITIONS,
            ),
            ("vocab_size", self.vocab_size, MAX_VOCABULARY),
            (
                "embedding_dimensions",
                self.embedding_dimensions,
                MAX_DIMENSION,
            ),
            ("labels", self.labels.len(), MAX_DIMENSION),
        ] {
            in_range(FILE, name, found, most)?;
        }
        for (name, all, most) in [
            ("stem_channels", &self.stem_channels, MAX_DIMENSION),
            ("stage_channels", &self.stage_channels, MAX_DIMENSION),
            ("stage_blocks", &self.stage_blocks, MAX_REPEATS),
        ] {
            for &found in all {
                in_range(FILE, name, found, most)?;
            }
        }
        if self.stage_blocks.len() != self.stage_channels.len() {
            return Err(error::config(format!(
                "expected as many `stage_blocks` as `stage_channels` in `{FILE}`, found {} and {}",
                self.stage_blocks.len(),
                self.stage_channels.len()
            )));
        }
        if self.stem_channels.last() != self.stage_channels.first() {
            return Err(error::config(format!(
                "expected the last of `stem_channels` to be the first of `stage_channels` in \
                 `{FILE}`, found {:?} and {:?}",
                self.stem_channels, self.stage_channels
            )));
        }
        shared_by_heads(FILE, self.hidden_size, self.num_attention_heads)?;
        for (side, channels) in self.planes() {
            // Both are in range by now, so this can be counted.
            if (side * side).saturating_mul(channels * size_of::<f32>()) > MAX_PLANE_BYTES {
                return Err(error::config(format!(
                    "expected `image_size` and channels in `{FILE}` with which a picture takes at most \
                     {MAX_PLANE_BYTES} bytes between two convolutions, found {side} × {side} pixels of \
                     {channels} channels"
                )));
            }
        }
        layer_norm_epsilon(FILE, self.layer_norm_eps)?;
        // Two special tokens, one of a question, and one that the answer can begin with.
        if self.max_text_positions < 4 {
            return Err(error::config(format!(
                "expected room for a question and an answer in `max_text_positions` in `{FILE}`, \
                 found {}",
                self.max_text_positions
            )));
        }
        Ok(())
    }
}
