//! A BERT-encoder guest: text in, one vector of length 1 out.
//!
//! It serves any model of the BERT family that its files describe (`config.json`,
//! `tokenizer.json` and `model.safetensors`, as Hugging Face lays them out); all-MiniLM-L6-v2 is
//! the one that it is shipped with. A text's vector is the mean of the last layer's rows, one a
//! token, scaled to length 1 (Reimers and Gurevych, "Sentence-BERT", 2019).
//!
//! With `{"weights": "int8"}` in a file `ampoule.json` the layers' matrices are computed with in int8; `f16` and
//! `int4` are there as well ([`ampoule_nn::precision`]).
//!
//! Errors are `model.config`, `model.tokenizer` and `model.weights` when a file is wrong, and
//! `asset.*` when one is missing.
//!
//! Memory, for all-MiniLM-L6-v2 in a sandbox: 97 MB once `init` is done, of which 90 MB are weights
//! in f32 (reading them takes half a megabyte more for a moment); 103 MB at most while a text of 512
//! tokens is embedded.
#![forbid(unsafe_code)]

mod config;
mod encoder;
mod layer;
mod tokenization;

use ampoule_guest::{
    Assets, Embeddings, Error, Model, ModelInfo, Property, TextEmbedding, TextTokenization, Tokens,
    Usage,
};
use ampoule_nn::{Weights, precision};

use crate::config::Config;
use crate::encoder::{Encoder, Workspace};
use crate::tokenization::Tokenization;

/// An encoder with its tokenizer.
pub struct BertEmbedder {
    tokenization: Tokenization,
    encoder: Encoder,
}

impl Model for BertEmbedder {
    fn load(assets: &Assets) -> Result<Self, Error> {
        let config = Config::load(assets)?;
        // The tokenizer first: parsing it leaves a good deal of freed memory behind, which the
        // weights then fill.
        let tokenization = Tokenization::load(assets, &config)?;
        let weights = Weights::open(assets)?.with_precision(precision(assets)?);
        let encoder = Encoder::load(weights, &config)?;
        Ok(BertEmbedder {
            tokenization,
            encoder,
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
                property("text.max-tokens", self.tokenization.max_tokens()),
                property("text.vocabulary", self.encoder.vocabulary()),
                property("embedding.dimensions", self.encoder.dimensions()),
                property("weights.bytes", self.encoder.weight_bytes()),
            ],
        }
    }
}

impl TextTokenization for BertEmbedder {
    fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error> {
        texts
            .iter()
            .map(|text| self.tokenization.tokenize(text))
            .collect()
    }
}

impl TextEmbedding for BertEmbedder {
    fn embed(&self, texts: &[String]) -> Result<Embeddings, Error> {
        let mut embeddings = Embeddings {
            dimensions: self.encoder.dimensions() as u32,
            values: Vec::with_capacity(texts.len() * self.encoder.dimensions()),
            truncated: Vec::with_capacity(texts.len()),
            usage: Usage {
                input_tokens: 0,
                output_tokens: 0,
            },
        };
        let mut workspace = Workspace::default();
        for text in texts {
            let tokens = self.tokenization.tokenize(text)?;
            let vector = self.encoder.embed(&tokens.ids, &mut workspace)?;
            embeddings.values.extend_from_slice(&vector);
            embeddings.truncated.push(tokens.truncated);
            let input_tokens = &mut embeddings.usage.input_tokens;
            *input_tokens = input_tokens.saturating_add(tokens.ids.len() as u32);
        }
        Ok(embeddings)
    }
}

ampoule_guest::export_model!(BertEmbedder: TextEmbedding, TextTokenization);
