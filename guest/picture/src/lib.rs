//! From a caller's picture, which is a PNG, JPEG or WebP file or plain pixels, to the pixels that a model sees.
//!
//! [`check`] reads a picture's first bytes, [`decode`] gives its pixels as a person would see them, and
//! [`letterbox`] fits them into a square.
//!
//! Errors are `input.image` when there is no picture that can be decoded, and `input.too-large` when a
//! picture has too many pixels.
#![forbid(unsafe_code)]

mod decode;
mod jpeg;
mod letterbox;
mod metadata;
mod orientation;
mod preprocess;
mod resample;
mod webp_chunks;

pub use crate::decode::{Picture, check, decode, decode_on, name_picture};
pub use crate::letterbox::letterbox;
pub use crate::preprocess::{Layout, Normalize, Preprocess, Resize, Tensor};
pub use crate::resample::{Filter, Passes, resample};
