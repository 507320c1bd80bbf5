//! The built-in model, a small vision-language model: a picture and a question in, an answer out, a token at a
//! time; and, from the same weights, labels of the picture and one vector for it.
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
//!
//! The package is the component with its default feature `component`, and a library without.
#![forbid(unsafe_code)]

mod config;
mod decoder;
mod generation;
mod model;
mod network;
mod request;
mod scene;
mod tokenization;
mod transformer;
mod vision;

pub use crate::generation::Generation;
pub use crate::model::TinyVlm;

#[cfg(feature = "component")]
ampoule_guest::export_model!(
    TinyVlm: TextGeneration, ImageClassification, ImageEmbedding, TextTokenization
);
