//! Image classification: a picture in, labels with scores out.

use ampoule_sandbox::imports::bindings::ampoule::model::types;
use ampoule_sandbox::{Result, Task};

use crate::model::Model;
use crate::tasks::answer::Answer;
use crate::tasks::answer_check::check_labels;
use crate::tasks::image::Image;
use crate::tasks::input::InputChecks as _;

/// One label that may apply to an image.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Label {
    /// The label's text, as the model spells it: at most 1,024 characters, of any kind. What shows it in a
    /// terminal passes it through [`harmless_text`](ampoule_units::text::lines).
    pub name: String,
    /// The likelihood, from 0 to 1.
    pub score: f32,
}

impl Model {
    /// The `top_k` labels that fit an image best, the likeliest first; fewer where the model knows
    /// fewer.
    ///
    /// # Errors
    ///
    /// `usage.task`, `input.*`, `limit.*`, `guest.*`.
    pub async fn classify_image(&self, image: Image, top_k: u32) -> Result<Answer<Vec<Label>>> {
        let indices = self.accept(|| {
            let exports = self.exports().image_classification.clone();
            let indices = exports.ok_or_else(|| self.lacks(Task::ImageClassification))?;
            self.limits().check_image(&image)?;
            Ok(indices)
        })?;
        let image: types::Image = image.into();
        self.ask(
            async move |store, instance| {
                let guest = indices.load(&mut *store, instance)?;
                guest.call_classify(store, &image, top_k).await
            },
            move |labels| {
                check_labels(&labels, top_k)?;
                Ok(labels
                    .into_iter()
                    .map(|label| Label {
                        name: label.name,
                        score: label.score,
                    })
                    .collect())
            },
        )
        .await
    }
}
