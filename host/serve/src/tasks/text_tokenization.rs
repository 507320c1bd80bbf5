//! Text tokenization: texts in, tokens out.

use ampoule_sandbox::{Result, Task};

use crate::model::Model;
use crate::tasks::answer::Answer;
use crate::tasks::answer_check::check_count;
use crate::tasks::input::check_texts;

/// The tokens of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tokens {
    /// Vocabulary indices, special tokens included.
    pub ids: Vec<u32>,
    /// True when the text was longer than the model reads and was cut.
    pub is_truncated: bool,
}

impl Model {
    /// The tokens that this model makes of each text.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn tokenize<S: AsRef<str>>(&self, texts: &[S]) -> Result<Answer<Vec<Tokens>>> {
        let (indices, texts) = self.accept(|| {
            let exports = self.exports().text_tokenization.clone();
            let indices = exports.ok_or_else(|| self.lacks(Task::TextTokenization))?;
            Ok((indices, check_texts(self.limits(), texts)?))
        })?;
        let count = texts.len();
        self.ask(
            async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_tokenize(store, &texts).await
            },
            move |tokens| {
                check_count("token lists", tokens.len(), count)?;
                Ok(tokens
                    .into_iter()
                    .map(|tokens| Tokens {
                        ids: tokens.ids,
                        is_truncated: tokens.truncated,
                    })
                    .collect())
            },
        )
        .await
    }
}
