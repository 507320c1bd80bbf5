//! What the tests of several guests are made of: numbers, the normal distribution, files of weights, and
//! pictures that no ordinary encoder writes. Nothing but tests depends on it.
#![forbid(unsafe_code)]

pub mod jpeg;
mod normal_distribution;
mod numbers;
pub mod safetensors;
pub mod webp;

pub use normal_distribution::normal_distribution;
pub use numbers::numbers;
