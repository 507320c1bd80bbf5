//! Text in, token ids out.

use crate::bindings::world;
use crate::instance::{Instance, with_model};
use crate::{Error, Model};

pub use bindings::exports::ampoule::model::text_tokenization::Tokens;

use bindings::exports::ampoule::model::text_tokenization;

world!(pub mod "text-tokenizer");

/// Text in, token ids out.
pub trait TextTokenization: Model {
    /// Tokenizes each text on its own, into exactly the ids that the model's other text tasks
    /// work on. The answer has one entry a text, in order.
    ///
    /// # Errors
    ///
    /// `input.*`.
    fn tokenize(&self, texts: &[String]) -> Result<Vec<Tokens>, Error>;
}

impl<I: Instance> text_tokenization::Guest for I
where
    I::Model: TextTokenization,
{
    fn tokenize(texts: Vec<String>) -> Result<Vec<Tokens>, Error> {
        with_model::<I, _>(|model| model.tokenize(&texts))
    }
}
