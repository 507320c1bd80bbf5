//! Image tasks: embedding and classification.

use crate::answer::{Answer, Usage};
use crate::answer_check::{check_labels, check_usage, check_vectors};
use crate::bindings::ampoule::model::types;
use crate::contract::Task;
use crate::error::Result;
use crate::model::Model;
use crate::text::rows;

/// A picture to put to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// A whole PNG, JPEG or WebP file. It is decoded inside the sandbox.
    Encoded(Vec<u8>),
    /// Pixels: red, green and blue, one byte each, row by row from the top left.
    Rgb8 {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// `width × height × 3` bytes.
        pixels: Vec<u8>,
    },
}

impl From<Image> for types::Image {
    fn from(image: Image) -> Self {
        match image {
            Image::Encoded(bytes) => Self::Encoded(bytes),
            Image::Rgb8 {
                width,
                height,
                pixels,
            } => Self::Rgb8(types::Rgb8Image {
                width,
                height,
                pixels,
            }),
        }
    }
}

/// One vector for each image of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageEmbeddings {
    /// The length of one vector.
    pub dimensions: usize,
    /// How many images there were.
    pub images: usize,
    /// Shape `[images, dimensions]`, row-major.
    pub values: Vec<f32>,
    /// What the whole request cost; input tokens are visual tokens.
    pub usage: Usage,
}

impl ImageEmbeddings {
    /// The vectors, in the order of the images.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        rows(&self.values, self.dimensions, self.images)
    }
}

/// One label that may apply to an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The label's text, as the model spells it: at most 1,024 characters, of any kind. What shows it in a
    /// terminal passes it through [`harmless_text`](crate::harmless_text).
    pub name: String,
    /// How likely it is, from 0 to 1.
    pub score: f32,
}

impl Model {
    /// One vector for each image.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn embed_images(&self, images: Vec<Image>) -> Result<Answer<ImageEmbeddings>> {
        let exports = self.exports().image_embedding.clone();
        let indices = exports.ok_or_else(|| self.lacks(Task::ImageEmbedding))?;
        self.limits().check_image_count(images.len())?;
        for image in &images {
            self.limits().check_image(image)?;
        }
        let count = images.len();
        let images: Vec<types::Image> = images.into_iter().map(Into::into).collect();
        let answer = self
            .ask(async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_embed(store, &images).await
            })
            .await?;
        answer.try_map(|embeddings| {
            Ok(ImageEmbeddings {
                dimensions: check_vectors(embeddings.dimensions, &embeddings.values, count)?,
                images: count,
                values: embeddings.values,
                usage: check_usage(embeddings.usage.into())?,
            })
        })
    }

    /// The `top_k` labels that fit an image best, the likeliest first; fewer where the model knows
    /// fewer.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn classify_image(&self, image: Image, top_k: u32) -> Result<Answer<Vec<Label>>> {
        let exports = self.exports().image_classification.clone();
        let indices = exports.ok_or_else(|| self.lacks(Task::ImageClassification))?;
        self.limits().check_image(&image)?;
        let image: types::Image = image.into();
        let answer = self
            .ask(async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_classify(store, &image, top_k).await
            })
            .await?;
        answer.try_map(|labels| {
            check_labels(&labels, top_k)?;
            Ok(labels
                .into_iter()
                .map(|label| Label {
                    name: label.name,
                    score: label.score,
                })
                .collect())
        })
    }
}
