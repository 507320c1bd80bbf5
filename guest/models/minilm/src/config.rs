//! `config.json`: the dimensions of the network. Settings that would make another network are refused.

use ampoule_guest::{Assets, Error};
use ampoule_kernels::Activation;
use ampoule_model_files::json_file::{in_folder, is_off, is_there, quoted, unserved};
use ampoule_model_files::{bounds, error};
use ampoule_text::TokenBounds;
use serde::Deserialize;
use serde_json::{Map, Value};

const FILE: &str = "config.json";

/// A configuration is a few KiB.
const MAX_BYTES: usize = 1 << 20;

/// Upper bound of any dimension: far above every BERT, and small enough that the product of two and a small
/// factor can be counted in 64 bits and, where weights of that shape exist in a file, addressed.
const MAX_DIMENSION: usize = 1 << 24;

/// Settings that make another network of a BERT, or another one around it. Each is refused unless it is off
/// ([`is_off`]).
///
/// Settings that are in no list here are ignored, as transformers' `BertModel` ignores them. That class knows the keys
/// of `BertConfig` alone, and code that reads other keys comes with `auto_map`, which is refused. Checkpoints carry
/// many more keys (of training, of unused heads, of tools), so that an allow-list would refuse good ones.
const REFUSED: [&str; 38] = [
    // Code of the model's own.
    "auto_map",
    // Weights that are not as they are stored, or not all of them.
    "adapters",
    "compression_config",
    "peft_config",
    "pruned_heads",
    "quantization_config",
    // Attention that sees other tokens, or none of them all.
    "add_cross_attention",
    "attention_chunk_size",
    "cross_attention_hidden_size",
    "is_causal",
    "is_decoder",
    "is_encoder_decoder",
    "layer_types",
    "local_attention",
    "sliding_window",
    "window_size",
    // Positions that are not learnt embeddings.
    "alibi_starting_size",
    "partial_rotary_factor",
    "relative_attention",
    "relative_attention_num_buckets",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "rotary_emb_base",
    "rotary_emb_dim",
    "rotary_emb_fraction",
    "rotary_emb_interleaved",
    "rotary_value",
    "use_rotary_embeddings",
    // Layers that are shaped otherwise.
    "embedding_norm_first",
    "mlp_type",
    "moe_every_n_layers",
    "num_experts",
    "parallel_block",
    "pre_norm",
    "prenorm",
    "use_glu_mlp",
    "use_rms_norm",
];

/// Settings that have to be one of these texts where the file has them.
const TEXTS: [(&str, &[&str]); 6] = [
    ("model_type", &["bert"]),
    ("position_embedding_type", &["absolute"]),
    ("layer_norm_type", &["layer_norm", "layernorm"]),
    ("norm_type", &["layer_norm", "layernorm"]),
    ("normalization_type", &["layer_norm", "layernorm"]),
    ("attention_type", &["original_full", "full"]),
];

/// A BERT encoder's configuration, with the defaults of Hugging Face's `BertConfig` where files of
/// older versions are silent.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Config {
    /// The width of a token's row.
    pub(crate) hidden_size: usize,
    /// The width between the two halves of a feed-forward network.
    pub(crate) intermediate_size: usize,
    /// Layers.
    pub(crate) num_hidden_layers: usize,
    /// Heads of a layer's attention; they share the hidden width evenly.
    pub(crate) num_attention_heads: usize,
    /// Positions that have an embedding, and so the most tokens that an input may have.
    pub(crate) max_position_embeddings: usize,
    /// Tokens that have an embedding.
    pub(crate) vocab_size: usize,
    /// Segments that have an embedding. A text alone is segment 0.
    #[serde(default = "two")]
    pub(crate) type_vocab_size: usize,
    /// Summand of the variance in a layer normalisation.
    #[serde(default = "layer_norm_eps")]
    pub(crate) layer_norm_eps: f32,
    /// The activation in the middle of a feed-forward network.
    #[serde(skip, default = "gelu")]
    pub(crate) activation: Activation,
    /// The tokenizer's class, where `tokenizer_config.json` does not say it.
    #[serde(default)]
    pub(crate) tokenizer_class: Option<String>,
}

fn two() -> usize {
    2
}

fn layer_norm_eps() -> f32 {
    1e-12
}

fn gelu() -> Activation {
    Activation::Gelu
}

impl Config {
    /// Reads and checks the configuration in the transformer's `folder`.
    ///
    /// # Errors
    ///
    /// `model.config` when it does not parse, a dimension is out of range, or the network is one
    /// that this guest cannot compute; `asset.*`; `model.file-size`.
    pub(crate) fn load(assets: &Assets, folder: &str) -> Result<Self, Error> {
        let file = &in_folder(folder, FILE);
        let text = assets.read_to_vec(file, MAX_BYTES)?;
        let unreadable = |found| error::config(format!("cannot read `{file}`: {found}"));
        let settings: Map<String, Value> = serde_json::from_slice(&text).map_err(unreadable)?;
        // Before the dimensions, which another network may not have.
        check_settings(&settings, file)?;
        let mut config: Config = serde_json::from_slice(&text).map_err(unreadable)?;
        config.activation = activation(settings.get("hidden_act"), file)?;
        config.check(file)?;
        config.check_other_dimensions(&settings, file)?;
        // Transformers adds such a file's weights to the network's without being asked.
        let adapter = in_folder(folder, "adapter_config.json");
        if is_there(assets, &adapter)? {
            return Err(error::config(format!(
                "the bundle has `{adapter}`, whose adapter changes the weights: merge it into `model.safetensors`, \
                 or leave it out"
            )));
        }
        Ok(config)
    }

    fn check(&self, file: &str) -> Result<(), Error> {
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
            bounds::in_range(file, name, found, most)?;
        }
        bounds::shared_by_heads(file, self.hidden_size, self.num_attention_heads)?;
        bounds::layer_norm_epsilon(file, self.layer_norm_eps)
    }

    /// Returns the bounds of the network on the tokens of an input.
    pub(crate) fn token_bounds(&self) -> TokenBounds<'_> {
        TokenBounds {
            vocabulary: self.vocab_size,
            positions: self.max_position_embeddings,
            tokenizer_class: self.tokenizer_class.as_deref(),
        }
    }

    /// Checks dimensions that a BERT has one of and relatives have two of.
    fn check_other_dimensions(
        &self,
        settings: &Map<String, Value>,
        file: &str,
    ) -> Result<(), Error> {
        for (key, expected) in [
            ("embedding_size", self.hidden_size),
            ("head_dim", self.hidden_size / self.num_attention_heads),
            ("num_key_value_heads", self.num_attention_heads),
            ("num_hidden_groups", 1),
            ("inner_group_num", 1),
        ] {
            if let Some(value) = settings.get(key).filter(|value| !is_off(value))
                && value.as_u64() != Some(expected as u64)
            {
                return Err(unserved(file, key, value));
            }
        }
        Ok(())
    }
}

fn check_settings(settings: &Map<String, Value>, file: &str) -> Result<(), Error> {
    for (key, served) in TEXTS {
        if let Some(value) = settings.get(key).filter(|value| !is_off(value))
            && !value.as_str().is_some_and(|text| served.contains(&text))
        {
            return Err(error::config(format!(
                "this guest serves `{key}` `{}`; `{file}` has {}",
                served[0],
                quoted(&value.to_string())
            )));
        }
    }
    for key in REFUSED {
        if let Some(value) = settings.get(key).filter(|value| !is_off(value)) {
            return Err(unserved(file, key, value));
        }
    }
    Ok(())
}

fn activation(name: Option<&Value>, file: &str) -> Result<Activation, Error> {
    let Some(name) = name.filter(|name| !name.is_null()) else {
        return Ok(Activation::Gelu);
    };
    Ok(match name.as_str() {
        Some("gelu" | "gelu_python") => Activation::Gelu,
        Some("relu") => Activation::Relu,
        Some("silu" | "swish") => Activation::Silu,
        // Those that stand for GELU by a formula that is near it are off by up to 0.0005 a number.
        _ => {
            return Err(error::config(format!(
                "this guest serves `hidden_act` gelu, relu and silu; `{file}` has {}",
                quoted(&name.to_string())
            )));
        }
    })
}
