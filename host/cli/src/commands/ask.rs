//! `ampoule ask`: a question in, an answer out as it is written.

use ampoule::{Finish, Generation, Task, harmless_text};
use serde::Serialize;

use crate::error::Error;
use crate::model_choice::ModelChoice;
use crate::output::{self, ModelName, Sandbox, Usage};
use crate::progress;
use crate::prompt::PromptOptions;
use crate::settings::Settings;

#[derive(Serialize)]
struct Document {
    model: ModelName,
    text: String,
    finish_reason: String,
    usage: Usage,
    sandbox: Sandbox,
}

pub(crate) async fn run(
    command: PromptOptions,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let (model, request) = command.into_request(&settings.limits)?;
    let model = ModelChoice::from(model)
        .load_for(Task::TextGeneration, settings)
        .await?;
    let generation = progress::show("reading the question", model.generate(request));
    let mut generation = generation.await?;
    if !json {
        return stream(&mut generation).await;
    }
    let mut text = String::new();
    let finish = each_piece(&mut generation, |piece| {
        text.push_str(piece);
        Ok(())
    });
    let finish = finish.await?;
    output::json(&Document {
        model: model.manifest().into(),
        text,
        finish_reason: finish.reason,
        usage: finish.usage.into(),
        sandbox: generation.report().into(),
    })
}

/// Shows each piece of the answer at once, and ends the line, whatever comes.
async fn stream(generation: &mut Generation) -> Result<(), Error> {
    let mut is_line_open = false;
    let shown = each_piece(generation, |piece| {
        if !piece.is_empty() {
            is_line_open = !piece.ends_with('\n');
        }
        output::write(&harmless_text(piece))
    });
    let shown = shown.await;
    if is_line_open {
        output::write("\n")?;
    }
    shown.map(drop)
}

/// Hands over the pieces of an answer in order, and says how it ended.
pub(super) async fn each_piece(
    generation: &mut Generation,
    mut take: impl FnMut(&str) -> Result<(), Error>,
) -> Result<Finish, Error> {
    while let Some(chunk) = generation.next().await? {
        take(&chunk.text)?;
        if let Some(finish) = chunk.finish {
            return Ok(finish);
        }
    }
    // The library lets no generation end like this.
    Err(Error::Internal("an answer without an end"))
}
