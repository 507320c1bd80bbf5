//! `ampoule ask`: a question in, an answer out as it is written.

use ampoule::{Finish, Generation, Task, harmless_text};
use serde::Serialize;

use crate::error::Error;
use crate::model_choice::ModelChoice;
use crate::output::{self, ModelName, Sandbox};
use crate::progress;
use crate::prompt::PromptOptions;
use crate::settings::Settings;

/// Characters of a model's own reason that are shown: `length` and the like have a word or two.
const MAX_REASON_CHARS: usize = 80;

#[derive(Serialize)]
struct Document {
    model: ModelName,
    text: String,
    finish_reason: String,
    usage: ampoule::Usage,
    sandbox: Sandbox,
}

pub(crate) async fn run(
    command: PromptOptions,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let (model, request) = command.into_request(&settings.limits)?;
    let allowed = request.max_output_tokens;
    let model = ModelChoice::from(model)
        .load_for(Task::TextGeneration, settings)
        .await?;
    let generation = progress::show("reading the question", model.generate(request));
    let mut generation = generation.await?;
    if !json {
        let finish = stream(&mut generation).await?;
        if let Some(note) = cut_short(&finish, allowed) {
            output::note(&note);
        }
        return Ok(());
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
        usage: finish.usage,
        sandbox: (&generation.report()).into(),
    })
}

/// Shows each piece of the answer at once, and ends the line in every case.
async fn stream(generation: &mut Generation) -> Result<Finish, Error> {
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
    shown
}

/// Explains the end of an answer to somebody who sees only its text. `None` where the model was done or met a stop
/// string.
fn cut_short(finish: &Finish, allowed: u32) -> Option<String> {
    match finish.reason.as_str() {
        "stop" | "stop-string" => None,
        "length" if finish.usage.output_tokens < allowed => {
            Some("the answer is cut short: the model has no room for more".to_owned())
        }
        "length" => Some(format!(
            "the answer is cut short at {allowed} tokens; --max-output-tokens allows more"
        )),
        // Of the model's own making: kept to one short line.
        other => {
            let shown: String = other.chars().take(MAX_REASON_CHARS).collect();
            let shown = harmless_text(&shown).replace('\n', " ");
            Some(format!("the answer ended for another reason: \"{shown}\""))
        }
    }
}

/// Hands over the pieces of an answer in order, and returns its end.
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

#[cfg(test)]
mod tests {
    use ampoule::Usage;

    use super::*;

    #[test]
    fn a_reader_is_told_of_every_end_that_is_not_the_models_own() {
        let note = |reason: &str| {
            let usage = Usage {
                input_tokens: 3,
                output_tokens: 7,
            };
            let reason = reason.to_owned();
            cut_short(&Finish { reason, usage }, 7)
        };
        assert_eq!(note("stop"), None);
        assert_eq!(note("stop-string"), None);
        assert!(note("length").is_some_and(|note| note.contains("--max-output-tokens")));
        let strange = note(&format!("red\n\u{1b}[2J{}", "!".repeat(1_000))).unwrap_or_default();
        assert!(strange.contains("red \u{fffd}[2J!!"), "{strange}");
        assert!(strange.len() < 200, "{strange}");
        assert_eq!(strange.lines().count(), 1);
    }
}
