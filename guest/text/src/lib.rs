//! Text on its way into a model and out of it: token ids of a publisher's `tokenizer.json`, the choice of the next
//! token, and the text of an answer as far as it may be said.
//!
//! | item | for |
//! | --- | --- |
//! | [`PlainTokenizer`] | models that put special tokens where they belong themselves, such as decoders |
//! | [`Detokenizer`] | the text of an answer, a token at a time and in whole characters |
//! | [`Sampler`] | the next token, from logits |
//! | [`StopStrings`] | the end of an answer before a text that the caller named |
//! | [`SentenceTokenizer`] | encoders whose template, length and prompt stand in the publisher's files |
//! | [`AnswerSettings`] | the prompt and the length of vectors of such an encoder |
//!
//! Errors are `model.tokenizer` and `model.config` when a file is wrong, `model.file-size` when it is too long,
//! `asset.*` when it is missing, `model.random` when there is no randomness to sample with, and for a request
//! `input.sampling` and `input.stop`.
#![forbid(unsafe_code)]

mod ambiguous_pattern;
mod detokenizer;
mod plain_tokenizer;
mod sampling;
mod sentence_settings;
mod sentence_tokenizer;
mod stop_strings;
mod tokenizer_file;
mod tokenizer_settings;

pub use detokenizer::Detokenizer;
pub use plain_tokenizer::PlainTokenizer;
pub use sampling::Sampler;
pub use sentence_settings::AnswerSettings;
pub use sentence_tokenizer::{SentenceTokenizer, TokenBounds};
pub use stop_strings::StopStrings;
