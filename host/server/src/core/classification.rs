//! Labels of one picture.

use ampoule::{Error, Image, Model, SandboxReport, Task, Usage};

use crate::core::question;
use crate::request::context::Context;

/// Labels of a picture, the likeliest first.
#[derive(Debug)]
pub(crate) struct Labels {
    /// Each label's name, with its likelihood from 0 to 1.
    pub(crate) labels: Vec<(String, f32)>,
    /// The cost of the sandbox; `None` for labels that were kept.
    pub(crate) report: Option<SandboxReport>,
}

/// Names what is in a picture, with so many labels at most.
///
/// # Errors
///
/// Those of the library.
pub(crate) async fn classify(
    model: &Model,
    context: &Context,
    image: Image,
    top_k: u32,
) -> Result<Labels, Error> {
    let task = Task::ImageClassification;
    let images = vec![image];
    let (images, lookup) = question::of_images(context, model, task, top_k as usize, images).await;
    if let Some(lookup) = &lookup {
        // Labels have no tokens.
        let kept = lookup.find(context, |_: &Vec<_>| Usage::default()).await;
        if let Some(labels) = kept {
            let report = None;
            return Ok(Labels { labels, report });
        }
    }
    let image = images.into_iter().next();
    let image = image.unwrap_or_else(|| Image::Encoded(Vec::new()));
    let call = model.classify_image(image, top_k);
    let answer = context.ask(task, model, call).await?;
    context.note(&answer.sandbox, Usage::default());
    let labels = answer.output.into_iter();
    let labels: Vec<_> = labels.map(|label| (label.name, label.score)).collect();
    if let Some(lookup) = lookup
        && labels.iter().all(|(_, score)| score.is_finite())
    {
        lookup.keep(&labels).await;
    }
    Ok(Labels {
        labels,
        report: Some(answer.sandbox),
    })
}
