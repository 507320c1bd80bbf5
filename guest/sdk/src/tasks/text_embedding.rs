//! Text in, one vector a text out.

use crate::bindings::world;
use crate::instance::{Instance, with_model};
use crate::{Error, Model};

pub use bindings::exports::ampoule::model::text_embedding::Embeddings;

use bindings::exports::ampoule::model::text_embedding;

world!(pub mod "text-embedder");

/// Text in, one vector a text out.
pub trait TextEmbedding: Model {
    /// Embeds each text on its own: the answer must not depend on what else is in the batch.
    ///
    /// # Errors
    ///
    /// `input.*`.
    fn embed(&self, texts: &[String]) -> Result<Embeddings, Error>;
}

impl<I: Instance> text_embedding::Guest for I
where
    I::Model: TextEmbedding,
{
    fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
        with_model::<I, _>(|model| model.embed(&texts))
    }
}
