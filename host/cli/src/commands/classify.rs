//! `ampoule classify`: a picture in, labels out.

use std::fmt::Write as _;

use ampoule::{Task, harmless_text};
use serde::Serialize;

use crate::arguments::ClassifyCommand;
use crate::error::Error;
use crate::images;
use crate::model_choice::ModelChoice;
use crate::output::{self, ModelName, Sandbox};
use crate::progress;
use crate::settings::Settings;

#[derive(Serialize)]
struct Document<'a> {
    model: ModelName,
    labels: &'a [ampoule::Label],
    sandbox: Sandbox,
}

pub(crate) async fn run(
    command: ClassifyCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let mut images = images::read(&[command.image], &settings.limits)?;
    let image = images.pop().ok_or(Error::Internal("an image went away"))?;
    let model = ModelChoice::from(command.model)
        .load_for(Task::ImageClassification, settings)
        .await?;
    let classified = model.classify_image(image, command.top_k);
    let answer = progress::show("classifying", classified).await?;
    if json {
        return output::json(&Document {
            model: model.manifest().into(),
            labels: &answer.output,
            sandbox: (&answer.sandbox).into(),
        });
    }
    let mut text = String::new();
    for label in &answer.output {
        let name = harmless_text(&label.name).replace('\n', " ");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:.3}  {name}", label.score);
    }
    output::write(&text)
}
