//! Text tasks that answer at once: tokenization and embedding.

use crate::answer::{Answer, Usage};
use crate::answer_check::{check_count, check_usage, check_vectors};
use crate::contract::Task;
use crate::error::Result;
use crate::model::Model;

/// The tokens of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Vocabulary indices, special tokens included.
    pub ids: Vec<u32>,
    /// Whether the text was longer than the model reads and was cut.
    pub is_truncated: bool,
}

/// One vector for each text of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct TextEmbeddings {
    /// The length of one vector.
    pub dimensions: usize,
    /// Shape `[texts, dimensions]`, row-major.
    pub values: Vec<f32>,
    /// For each text, whether it was longer than the model reads and was cut.
    pub truncated: Vec<bool>,
    /// What the whole request cost in tokens.
    pub usage: Usage,
}

impl TextEmbeddings {
    /// The vectors, in the order of the texts.
    pub fn vectors(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        rows(&self.values, self.dimensions, self.truncated.len())
    }
}

impl Model {
    /// The tokens that this model makes of each text.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn tokenize<S: AsRef<str>>(&self, texts: &[S]) -> Result<Answer<Vec<Tokens>>> {
        let exports = self.exports().text_tokenization.clone();
        let indices = exports.ok_or_else(|| self.lacks(Task::TextTokenization))?;
        let texts = self.limits().check_texts(texts)?;
        let count = texts.len();
        let answer = self
            .ask(async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_tokenize(store, &texts).await
            })
            .await?;
        answer.try_map(|tokens| {
            check_count("token lists", tokens.len(), count)?;
            Ok(tokens
                .into_iter()
                .map(|tokens| Tokens {
                    ids: tokens.ids,
                    is_truncated: tokens.truncated,
                })
                .collect())
        })
    }

    /// One vector for each text. A text's vector does not depend on the other texts.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn embed_text<S: AsRef<str>>(&self, texts: &[S]) -> Result<Answer<TextEmbeddings>> {
        let exports = self.exports().text_embedding.clone();
        let indices = exports.ok_or_else(|| self.lacks(Task::TextEmbedding))?;
        let texts = self.limits().check_texts(texts)?;
        let count = texts.len();
        let answer = self
            .ask(async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_embed(store, &texts).await
            })
            .await?;
        answer.try_map(|embeddings| {
            let dimensions = check_vectors(embeddings.dimensions, &embeddings.values, count)?;
            check_count("truncation flags", embeddings.truncated.len(), count)?;
            Ok(TextEmbeddings {
                dimensions,
                values: embeddings.values,
                truncated: embeddings.truncated,
                usage: check_usage(embeddings.usage.into())?,
            })
        })
    }
}

/// `count` rows of `dimensions` values each; the rows may be empty.
pub(crate) fn rows(
    values: &[f32],
    dimensions: usize,
    count: usize,
) -> impl ExactSizeIterator<Item = &[f32]> {
    (0..count).map(move |row| &values[row * dimensions..][..dimensions])
}
