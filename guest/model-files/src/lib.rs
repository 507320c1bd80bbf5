//! A model's small files of settings: read within a bound, looked at by key, refused by name.
//!
//! | module | contents |
//! | --- | --- |
//! | [`error`] | the errors `model.config`, `model.tokenizer` and `model.weights` |
//! | [`json_file`] | reading JSON files, and settings that are not served |
//! | [`bounds`] | ranges of a network's dimensions |
//!
//! A bundle's files are a stranger's: each read has a bound, and a message quotes no more than the beginning of a
//! value.
#![forbid(unsafe_code)]

pub mod bounds;
pub mod error;
pub mod json_file;
