//! Parts of several guests' tests: numbers, the normal distribution, files of weights and of tokenizers, files that
//! are broken, and pictures that no ordinary encoder writes. Nothing but tests depends on it.
#![forbid(unsafe_code)]

pub mod broken_files;
pub mod jpeg;
mod normal_distribution;
mod numbers;
pub mod reference;
pub mod safetensors;
pub mod tokenizer_json;
pub mod webp;

pub use normal_distribution::normal_distribution;
pub use numbers::numbers;
