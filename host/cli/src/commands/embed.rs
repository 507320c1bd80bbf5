//! `ampoule embed`: texts in, vectors out.

use serde::Serialize;

use crate::arguments::TextCommand;
use crate::error::Error;
use crate::output::{self, ModelName, Sandbox};
use crate::progress;
use crate::settings::Settings;

#[derive(Serialize)]
struct Document<'a> {
    model: ModelName,
    embeddings: Vec<&'a [f32]>,
    usage: Usage,
    truncated: &'a [bool],
    sandbox: Sandbox,
}

#[derive(Serialize)]
struct Usage {
    input_tokens: u32,
}

pub(crate) async fn run(
    command: TextCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let texts = super::read_texts(command.texts)?;
    let host = settings.host()?;
    let model = progress::show("loading the model", host.load(command.model)).await?;
    let answer = progress::show("embedding", model.embed_text(&texts)).await?;
    let embeddings = &answer.output;
    if json {
        return output::json(&Document {
            model: model.manifest().into(),
            embeddings: embeddings.vectors().collect(),
            usage: Usage {
                input_tokens: embeddings.usage.input_tokens,
            },
            truncated: &embeddings.truncated,
            sandbox: (&answer.sandbox).into(),
        });
    }
    let mut text = String::new();
    for vector in embeddings.vectors() {
        let numbers: Vec<String> = vector.iter().map(ToString::to_string).collect();
        text.push_str(&numbers.join(" "));
        text.push('\n');
    }
    output::write(&text)
}
