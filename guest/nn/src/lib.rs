//! What the models' networks are built of: weights read from a safetensors file straight into the
//! form that the kernels want, and the layers of a transformer.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`Weights`] | `model.safetensors`, a tensor at a time |
//! | [`precision`] | `ampoule.json`: whether weights are computed with as f32, f16, int8 or 4 bits |
//! | [`Linear`] | `y = x·wᵀ + b` |
//! | [`LayerNorm`] | rows of mean 0 and variance 1, scaled and shifted |
//! | [`Attention`] | queries, keys and values, and what the heads gather; with a [`KeyValueCache`] where tokens come one after another |
//! | [`FeedForward`] | linear, GELU or another activation, linear |
//! | [`SentenceModules`], [`SentenceHead`] | what sentence-transformers puts after a transformer: [`Pooling`], dense layers, scaling |
//! | [`ReadingSettings`], [`AnswerSettings`] | sentence-transformers' lengths, prompts and cut vectors |
//! | [`ambiguous_part`] | patterns of a tokenizer that its publisher's engine reads otherwise |
//! | [`json_file`] | small files of settings, read within a bound |
//!
//! Where a layer normalises, and which tensor is whose, differs from model to model: that is said
//! there. Rows are `[tokens, hidden]`, row-major, in f32. Each step works in memory that the caller
//! lends, so that one layer uses what the layer before it used.
//!
//! Shapes are checked when weights are read, with the codes of [`error`]; after that a wrong shape is
//! a bug and panics.
#![forbid(unsafe_code)]

mod attention;
mod dense;
pub mod error;
mod feed_forward;
mod finite;
pub mod json_file;
mod layer_norm;
mod linear;
mod pooling;
mod precision;
mod sentence_head;
mod sentence_modules;
mod sentence_settings;
mod sigmoid;
mod split_pattern;
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
pub use sentence_settings::{AnswerSettings, ReadingSettings, length};
pub use sigmoid::sigmoid;
pub use split_pattern::ambiguous_part;
pub use weights::Weights;

/// Rows that go through a step at once where rows do not depend on one another: so a request's
/// memory is bounded by this and not by its length, and what one step writes is still in the cache
/// for the next.
pub const BLOCK_ROWS: usize = 128;
