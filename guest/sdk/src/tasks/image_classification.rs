//! A picture in, labels out.

use crate::bindings::world;
use crate::instance::{Instance, with_model};
use crate::{Error, Image, Model};

pub use bindings::exports::ampoule::model::image_classification::Label;

use bindings::exports::ampoule::model::image_classification;

world!(pub mod "image-classifier");

/// A picture in, labels out.
pub trait ImageClassification: Model {
    /// Returns the `top_k` labels that fit best, the likeliest first; fewer where the model knows fewer.
    ///
    /// # Errors
    ///
    /// `input.*`.
    fn classify(&self, image: Image, top_k: u32) -> Result<Vec<Label>, Error>;
}

impl<I: Instance> image_classification::Guest for I
where
    I::Model: ImageClassification,
{
    fn classify(image: Image, top_k: u32) -> Result<Vec<Label>, Error> {
        with_model::<I, _>(|model| model.classify(image, top_k))
    }
}
