//! What the tests of several guests are made of: numbers, files of weights, and pictures that no
//! ordinary encoder writes. Nothing but tests depends on it.
#![forbid(unsafe_code)]

pub mod jpeg;
mod numbers;
pub mod safetensors;
pub mod webp;

pub use numbers::numbers;
