//! Text embedding: texts in, a vector for each out.

use ampoule_sandbox::{Result, Task};

use crate::model::Model;
use crate::tasks::answer::{Answer, Usage};
use crate::tasks::answer_check::{check_count, check_usage, check_vectors};
use crate::tasks::input::check_texts;
use crate::tasks::vectors::rows;

/// One vector for each text of a request.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TextEmbeddings {
    /// The length of one vector.
    pub dimensions: usize,
    /// Shape `[texts, dimensions]`, row-major.
    pub values: Vec<f32>,
    /// For each text, whether it was longer than the model reads and was cut.
    pub truncated: Vec<bool>,
    /// The cost of the whole request in tokens.
    pub usage: Usage,
}

impl TextEmbeddings {
    /// The vectors, in the order of the texts.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        rows(&self.values, self.dimensions, self.truncated.len())
    }
}

impl Model {
    /// One vector for each text. A text's vector does not depend on the other texts.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn embed_text<S: AsRef<str>>(&self, texts: &[S]) -> Result<Answer<TextEmbeddings>> {
        let (indices, texts) = self.accept(|| {
            let exports = self.exports().text_embedding.clone();
            let indices = exports.ok_or_else(|| self.lacks(Task::TextEmbedding))?;
            Ok((indices, check_texts(self.limits(), texts)?))
        })?;
        let count = texts.len();
        self.ask(
            async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_embed(store, &texts).await
            },
            move |embeddings| {
                let dimensions = check_vectors(embeddings.dimensions, &embeddings.values, count)?;
                check_count("truncation flags", embeddings.truncated.len(), count)?;
                Ok(TextEmbeddings {
                    dimensions,
                    values: embeddings.values,
                    truncated: embeddings.truncated,
                    usage: check_usage(embeddings.usage.into())?,
                })
            },
        )
        .await
    }
}
