//! Building blocks of the models' networks: weights read from a safetensors file straight into the
//! form that the kernels want, and the layers of a transformer.
//!
//! | item | contents |
//! | --- | --- |
//! | [`Weights`] | `model.safetensors`, a tensor at a time |
//! | [`precision`] | `ampoule.json`: whether weights are computed with as f32, f16, int8 or 4 bits |
//! | [`Linear`] | `y = x·wᵀ + b` |
//! | [`LayerNorm`] | rows of mean 0 and variance 1, scaled and shifted |
//! | [`Attention`] | queries, keys and values, and what the heads gather; with a [`KeyValueCache`] where tokens come one after another |
//! | [`FeedForward`] | linear, GELU or another activation, linear |
//! | [`SentenceModules`], [`SentenceHead`] | the modules of sentence-transformers after a transformer: [`Pooling`], dense layers, scaling |
//!
//! The order of a layer's parts and the names of its tensors differ from model to model: each model has its own.
//! Rows are `[tokens, hidden]`, row-major, in f32. Each step works in memory that the caller lends, so that a
//! layer reuses the memory of the layer before it.
//!
//! Shapes are checked when weights are read, with the codes of [`ampoule_model_files::error`]; after that a wrong
//! shape is a bug and panics.
#![forbid(unsafe_code)]

mod attention;
mod dense;
mod feed_forward;
mod finite;
mod layer_norm;
mod linear;
mod pooling;
mod precision;
mod sentence_head;
mod sentence_modules;
mod sigmoid;
mod unit_length;
mod weights;

pub use attention::{Attention, AttentionWorkspace, KeyValueCache};
pub use feed_forward::{FeedForward, FeedForwardWorkspace};
pub use finite::finite;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use pooling::{Pooling, PoolingMode};
pub use precision::precision;
pub use sentence_head::SentenceHead;
pub use sentence_modules::SentenceModules;
pub use sigmoid::sigmoid;
pub use unit_length::scale_to_unit_length;
pub use weights::Weights;

/// Rows that go through a step at once, where rows do not depend on one another. The block bounds a request's
/// memory whatever its length, and keeps the rows that one step writes in the cache for the next.
pub const BLOCK_ROWS: usize = 128;
