//! A BERT-encoder guest: text in, one vector out.
//!
//! The guest serves checkpoints of the model type `bert`, as Hugging Face and sentence-transformers (Reimers and
//! Gurevych, "Sentence-BERT", 2019) lay them out; it is shipped with all-MiniLM-L6-v2. Its vectors are those of these
//! libraries for the same files, or `init` fails and names the setting that is not served. A bundle needs
//! `config.json`, `tokenizer.json` and `model.safetensors`. The other files count where they are present, so a
//! publisher includes all of them.
//!
//! | file | served | refused |
//! | --- | --- | --- |
//! | `modules.json` | a Transformer (in any folder), then Pooling, then any of Dense, LayerNorm, Normalize, Dropout | other modules, another order, code of the model's own |
//! | `1_Pooling/config.json` | `cls`, `max`, `mean`, `mean_sqrt_len_tokens`, `weightedmean`, `lasttoken`, several in a row, `include_prompt` | other modes, another width than `hidden_size` |
//! | `2_Dense/config.json` | bias or none, a residual, Tanh, Identity, ReLU, GELU, SiLU, Sigmoid | other activations, inputs and outputs |
//! | `sentence_bert_config.json` | `max_seq_length`, `do_lower_case` | other tasks, modalities and arguments than those of a text encoder |
//! | `config_sentence_transformers.json` | the prompt of `default_prompt_name`, in front of every text; `truncate_dim` | other kinds of model; a default prompt that is not there |
//! | `tokenizer_config.json` | `model_max_length`, `truncation_side`, `split_special_tokens`; for BERT's class `do_lower_case`, `strip_accents`, `tokenize_chinese_chars` | other classes; where releases of transformers differ |
//! | `tokenizer.json` | all but its padding and its length | patterns that Python's engine reads otherwise (`guest/text/src/ambiguous_pattern.rs`) |
//! | `config.json` | the dimensions; `hidden_act` gelu, relu, silu | other activations and positions, decoders, quantisation, pruned heads, `auto_map` and more (`config.rs`) |
//! | `model.safetensors` | F32, F16 and BF16, also mixed; names with any prefix; `LayerNorm.gamma` and `beta` | other types; two networks; adapters; a name that is there twice |
//! | `adapter_config.json` | | it is refused |
//!
//! A bundle without `modules.json` is pooled as `1_Pooling/config.json` says, or by the mean, and its vectors are scaled to
//! length 1. With `modules.json` they are scaled only where the last module is `Normalize`: a model that was trained for
//! dot products needs its lengths, and the cosine is the same. Prompts by other names than the default one are for the
//! caller to write in front of a text. Types in `config.json` (`torch_dtype`) are not followed: products are
//! computed in f32 whatever the weights are stored as, unless `ampoule.json` says otherwise.
//!
//! An input is cut at the first of these that is there, and never beyond `max_position_embeddings`: `max_seq_length` of
//! `sentence_bert_config.json`, `model_max_length` of `tokenizer_config.json`. The order is that of
//! sentence-transformers. `truncated` tells of a cut.
//!
//! With `{"weights": "int8"}` in a file `ampoule.json` the layers compute with weights in int8; `f16` and `int4` are
//! served as well ([`ampoule_nn::precision`]).
//!
//! Errors are `model.config`, `model.tokenizer` and `model.weights` when a file is wrong, and
//! `asset.*` when one is missing.
//!
//! Memory, for all-MiniLM-L6-v2 in a sandbox: 97 MB once `init` is done, of which 90 MB are weights
//! in f32 (reading them takes half a megabyte more for a moment); 103 MB at most while a text of 512
//! tokens is embedded, if a bundle says that the model reads as many.
#![forbid(unsafe_code)]

mod config;
mod encoder;
mod layer;

use ampoule_guest::{
    Assets, Embeddings, Error, Model, ModelInfo, Property, TextEmbedding, TextTokenization, Tokens,
    Usage,
};
use ampoule_kernels::Scratch;
use ampoule_nn::{SentenceHead, SentenceModules, Weights, precision};
use ampoule_text::{AnswerSettings, SentenceTokenizer};

use crate::config::Config;
use crate::encoder::{Encoder, Workspace};

/// An encoder with its tokenizer, and the head that makes a vector of its rows.
pub struct BertEmbedder {
    tokenizer: SentenceTokenizer,
    encoder: Encoder,
    head: SentenceHead,
}

impl Model for BertEmbedder {
    fn load(assets: &Assets) -> Result<Self, Error> {
        let modules = SentenceModules::load(assets)?;
        let answer = AnswerSettings::load(assets)?;
        let folder = modules.transformer();
        let config = Config::load(assets, folder)?;
        // The tokenizer first: parsing it leaves a good deal of freed memory behind, which the
        // weights then fill.
        let tokenizer = SentenceTokenizer::load(assets, folder, config.token_bounds(), &answer)?;
        let precision = precision(assets)?;
        let head = SentenceHead::load(
            assets,
            &modules,
            config.hidden_size,
            answer.dimensions,
            precision,
        )?;
        let weights = Weights::open_in(assets, folder)?.with_precision(precision);
        let encoder = Encoder::load(weights, &config)?;
        Ok(BertEmbedder {
            tokenizer,
            encoder,
            head,
        })
    }

    fn describe(&self) -> ModelInfo {
        let property = |key: &str, value: usize| Property {
            key: key.to_owned(),
            value: value.to_string(),
        };
        ModelInfo {
            architecture: "bert".to_owned(),
            properties: vec![
                property("text.max-tokens", self.tokenizer.max_tokens()),
                property("text.vocabulary", self.encoder.vocabulary()),
                property("embedding.dimensions", self.head.dimensions()),
                property(
                    "weights.bytes",
                    self.encoder.weight_bytes() + self.head.weight_bytes(),
                ),
            ],
        }
    }
}

impl TextTokenization for BertEmbedder {
    fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error> {
        texts
            .iter()
            .map(|text| self.tokenizer.tokenize(text))
            .collect()
    }
}

impl TextEmbedding for BertEmbedder {
    fn embed(&self, texts: &[String]) -> Result<Embeddings, Error> {
        let mut embeddings = Embeddings {
            dimensions: self.head.dimensions() as u32,
            values: Vec::with_capacity(texts.len() * self.head.dimensions()),
            truncated: Vec::with_capacity(texts.len()),
            usage: Usage {
                input_tokens: 0,
                output_tokens: 0,
            },
        };
        let (mut workspace, mut scratch) = (Workspace::default(), Scratch::default());
        // Rows in front of a text's own that its vector is not made of.
        let skipped = if self.head.includes_prompt() {
            0
        } else {
            self.tokenizer.prompt_tokens()
        };
        for text in texts {
            let tokens = self.tokenizer.tokenize(text)?;
            let rows = self.encoder.rows(&tokens.ids, &mut workspace)?;
            let vector = self.head.apply(rows, skipped, &mut scratch)?;
            embeddings.values.extend_from_slice(&vector);
            embeddings.truncated.push(tokens.truncated);
            let input_tokens = &mut embeddings.usage.input_tokens;
            *input_tokens = input_tokens.saturating_add(tokens.ids.len() as u32);
        }
        Ok(embeddings)
    }
}

ampoule_guest::export_model!(BertEmbedder: TextEmbedding, TextTokenization);
