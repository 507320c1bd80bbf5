//! Image embedding: pictures in, a vector for each out.

use ampoule_sandbox::imports::bindings::ampoule::model::types;
use ampoule_sandbox::{Result, Task};

use crate::model::Model;
use crate::tasks::answer::{Answer, Usage};
use crate::tasks::answer_check::{check_usage, check_vectors};
use crate::tasks::image::Image;
use crate::tasks::input::InputChecks as _;
use crate::tasks::vectors::rows;

/// One vector for each image of a request.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ImageEmbeddings {
    /// The length of one vector.
    pub dimensions: usize,
    /// The number of images.
    pub images: usize,
    /// Shape `[images, dimensions]`, row-major.
    pub values: Vec<f32>,
    /// The cost of the whole request in tokens; input tokens are visual tokens.
    pub usage: Usage,
}

impl ImageEmbeddings {
    /// The vectors, in the order of the images.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        rows(&self.values, self.dimensions, self.images)
    }
}

impl Model {
    /// One vector for each image.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn embed_images(&self, images: Vec<Image>) -> Result<Answer<ImageEmbeddings>> {
        let indices = self.accept(|| {
            let exports = self.exports().image_embedding.clone();
            let indices = exports.ok_or_else(|| self.lacks(Task::ImageEmbedding))?;
            self.limits().check_image_count(images.len())?;
            for image in &images {
                self.limits().check_image(image)?;
            }
            Ok(indices)
        })?;
        let count = images.len();
        let images: Vec<types::Image> = images.into_iter().map(Into::into).collect();
        self.ask(
            async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_embed(store, &images).await
            },
            move |embeddings| {
                Ok(ImageEmbeddings {
                    dimensions: check_vectors(embeddings.dimensions, &embeddings.values, count)?,
                    images: count,
                    values: embeddings.values,
                    usage: check_usage(embeddings.usage.into())?,
                })
            },
        )
        .await
    }
}
