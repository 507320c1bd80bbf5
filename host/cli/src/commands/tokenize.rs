//! `ampoule tokenize`: texts in, token ids out.

use ampoule::Task;
use serde::Serialize;

use crate::arguments::TextCommand;
use crate::error::Error;
use crate::model_choice::ModelChoice;
use crate::output::{self, ModelName, Sandbox};
use crate::settings::Settings;
use crate::texts;

#[derive(Serialize)]
struct Document<'a> {
    model: ModelName,
    tokens: Vec<&'a [u32]>,
    truncated: Vec<bool>,
    sandbox: Sandbox,
}

pub(crate) async fn run(
    command: TextCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let texts = texts::read(command.texts, &settings.limits)?;
    let model = ModelChoice::from(command.model)
        .load_for(Task::TextTokenization, settings)
        .await?;
    let answer = model.tokenize(&texts).await?;
    if json {
        return output::json(&Document {
            model: model.manifest().into(),
            tokens: answer.output.iter().map(|tokens| &tokens.ids[..]).collect(),
            truncated: answer
                .output
                .iter()
                .map(|tokens| tokens.is_truncated)
                .collect(),
            sandbox: (&answer.sandbox).into(),
        });
    }
    let mut text = String::new();
    for tokens in &answer.output {
        let ids: Vec<String> = tokens.ids.iter().map(ToString::to_string).collect();
        text.push_str(&ids.join(" "));
        text.push('\n');
    }
    output::write(&text)
}
