//! Text tasks that answer at once: tokenization and embedding.

use crate::answer::{Answer, Usage};
use crate::contract::Task;
use crate::error::{Error, Result};
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
                usage: embeddings.usage.into(),
            })
        })
    }
}

/// The dimensions of an embedding answer whose values have the shape `[count, dimensions]` and are
/// numbers: NaN and infinities cannot be compared or written as JSON.
pub(crate) fn check_vectors(dimensions: u32, values: &[f32], count: usize) -> Result<usize> {
    let dimensions = dimensions as usize;
    if dimensions.checked_mul(count) != Some(values.len()) {
        return Err(Error::Answer {
            reason: format!(
                "{count} vectors of {dimensions} dimensions were announced, {} values came",
                values.len()
            ),
        });
    }
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::Answer {
            reason: format!("a finite number was expected in a vector, {value} came"),
        });
    }
    Ok(dimensions)
}

fn check_count(what: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Answer {
        reason: format!("{expected} {what} were expected, {found} came"),
    })
}

/// `count` rows of `dimensions` values each; the rows may be empty.
pub(crate) fn rows(
    values: &[f32],
    dimensions: usize,
    count: usize,
) -> impl ExactSizeIterator<Item = &[f32]> {
    (0..count).map(move |row| &values[row * dimensions..][..dimensions])
}
