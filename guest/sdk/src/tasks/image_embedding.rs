//! Pictures in, one vector a picture out.

use crate::bindings::world;
use crate::instance::{Instance, with_model};
use crate::{Error, Image, Model};

pub use bindings::exports::ampoule::model::image_embedding::Embeddings as ImageEmbeddings;

use bindings::exports::ampoule::model::image_embedding;

world!(pub mod "image-embedder");

/// Pictures in, one vector a picture out.
pub trait ImageEmbedding: Model {
    /// Embeds each picture on its own.
    ///
    /// # Errors
    ///
    /// `input.*`, such as `input.image` when the bytes are no picture that it can decode.
    fn embed(&self, images: &[Image]) -> Result<ImageEmbeddings, Error>;
}

impl<I: Instance> image_embedding::Guest for I
where
    I::Model: ImageEmbedding,
{
    fn embed(images: Vec<Image>) -> Result<ImageEmbeddings, Error> {
        with_model::<I, _>(|model| model.embed(&images))
    }
}
