//! `config.json`: the dimensions of the network.

use ampoule_guest::{Assets, Error};
use ampoule_nn::error;
use serde::Deserialize;

const FILE: &str = "config.json";

/// A configuration is a few KiB.
const MAX_BYTES: usize = 1 << 20;

/// What any dimension may be at most: far above every BERT, and small enough that the product of
/// two and a small factor can be counted in 64 bits and, where weights of that shape exist in a
/// file, addressed.
const MAX_DIMENSION: usize = 1 << 24;

/// What a BERT encoder's configuration says, with the defaults of Hugging Face's `BertConfig` where
/// files of older versions are silent. What this guest has no use for is ignored.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    /// The width of a token's row, and the length of the embedding.
    pub(crate) hidden_size: usize,
    /// The width between the two halves of a feed-forward network.
    pub(crate) intermediate_size: usize,
    /// Layers.
    pub(crate) num_hidden_layers: usize,
    /// Heads of a layer's attention; they share the hidden width evenly.
    pub(crate) num_attention_heads: usize,
    /// Positions that have an embedding, and so the longest input in tokens.
    pub(crate) max_position_embeddings: usize,
    /// Tokens that have an embedding.
    pub(crate) vocab_size: usize,
    /// Segments that have an embedding. A text alone is segment 0.
    #[serde(default = "two")]
    pub(crate) type_vocab_size: usize,
    /// What a layer normalisation adds to the variance.
    #[serde(default = "layer_norm_eps")]
    pub(crate) layer_norm_eps: f32,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "bert")]
    model_type: String,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(default)]
    is_decoder: bool,
}

fn two() -> usize {
    2
}

fn layer_norm_eps() -> f32 {
    1e-12
}

fn gelu() -> String {
    "gelu".to_owned()
}

fn bert() -> String {
    "bert".to_owned()
}

fn absolute() -> String {
    "absolute".to_owned()
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    ///
    /// `model.config` when it does not parse, a dimension is out of range, or the network is one
    /// that this guest cannot compute; `asset.*`; `model.file-size`.
    pub(crate) fn load(assets: &Assets) -> Result<Self, Error> {
        let text = assets.read_to_vec(FILE, MAX_BYTES)?;
        let config: Config = serde_json::from_slice(&text)
            .map_err(|found| error::config(format!("cannot read `{FILE}`: {found}")))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Error> {
        for (name, found, most) in [
            ("hidden_size", self.hidden_size, MAX_DIMENSION),
            ("intermediate_size", self.intermediate_size, MAX_DIMENSION),
            ("num_hidden_layers", self.num_hidden_layers, 1 << 10),
            (
                "num_attention_heads",
                self.num_attention_heads,
                MAX_DIMENSION,
            ),
            (
                "max_position_embeddings",
                self.max_position_embeddings,
                MAX_DIMENSION,
            ),
            ("vocab_size", self.vocab_size, MAX_DIMENSION),
            ("type_vocab_size", self.type_vocab_size, MAX_DIMENSION),
        ] {
            if !(1..=most).contains(&found) {
                return Err(error::config(format!(
                    "expected `{name}` from 1 to {most} in `{FILE}`, found {found}"
                )));
            }
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(error::config(format!(
                "expected a `hidden_size` that {} heads share evenly in `{FILE}`, found {}",
                self.num_attention_heads, self.hidden_size
            )));
        }
        if !(self.layer_norm_eps >= 0.0 && self.layer_norm_eps < 1.0) {
            return Err(error::config(format!(
                "expected `layer_norm_eps` from 0 to 1 in `{FILE}`, found {}",
                self.layer_norm_eps
            )));
        }
        for (name, found, served) in [
            ("model_type", &self.model_type, "bert"),
            ("hidden_act", &self.hidden_act, "gelu"),
            (
                "position_embedding_type",
                &self.position_embedding_type,
                "absolute",
            ),
        ] {
            if found != served {
                return Err(error::config(format!(
                    "this guest serves `{name}` `{served}`; `{FILE}` has `{}`",
                    found.escape_default()
                )));
            }
        }
        if self.is_decoder {
            return Err(error::config(format!(
                "this guest serves encoders; `{FILE}` describes a decoder"
            )));
        }
        Ok(())
    }
}
