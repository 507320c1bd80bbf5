//! `ampoule embed`: texts or pictures in, vectors out.

use ampoule::{Manifest, SandboxReport, Task};
use serde::Serialize;

use crate::arguments::EmbedCommand;
use crate::error::Error;
use crate::images;
use crate::model_choice::ModelChoice;
use crate::output::{self, ModelName, Sandbox};
use crate::progress;
use crate::settings::Settings;
use crate::texts;

#[derive(Serialize)]
struct Document<'a> {
    model: ModelName,
    embeddings: Vec<&'a [f32]>,
    usage: InputUsage,
    /// For each text; pictures are never cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<&'a [bool]>,
    sandbox: Sandbox,
}

/// Cost in tokens of a task that only reads.
#[derive(Serialize)]
struct InputUsage {
    input_tokens: u32,
}

pub(crate) async fn run(
    command: EmbedCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let model = ModelChoice::from(command.model);
    if !command.images.is_empty() {
        let images = images::read(&command.images, &settings.limits)?;
        let model = model.load_for(Task::ImageEmbedding, settings).await?;
        let answer = progress::show("embedding", model.embed_images(images)).await?;
        let embeddings = &answer.output;
        return show(
            embeddings.vectors().collect(),
            embeddings.usage,
            None,
            (model.manifest(), &answer.sandbox),
            json,
        );
    }
    let texts = texts::read(command.texts, &settings.limits)?;
    let model = model.load_for(Task::TextEmbedding, settings).await?;
    let answer = progress::show("embedding", model.embed_text(&texts)).await?;
    let embeddings = &answer.output;
    show(
        embeddings.vectors().collect(),
        embeddings.usage,
        Some(&embeddings.truncated),
        (model.manifest(), &answer.sandbox),
        json,
    )
}

fn show(
    vectors: Vec<&[f32]>,
    usage: ampoule::Usage,
    truncated: Option<&[bool]>,
    (manifest, sandbox): (&Manifest, &SandboxReport),
    json: bool,
) -> Result<(), Error> {
    if json {
        return output::json(&Document {
            model: manifest.into(),
            embeddings: vectors,
            usage: InputUsage {
                input_tokens: usage.input_tokens,
            },
            truncated,
            sandbox: sandbox.into(),
        });
    }
    let mut text = String::new();
    for vector in vectors {
        let numbers: Vec<String> = vector.iter().map(ToString::to_string).collect();
        text.push_str(&numbers.join(" "));
        text.push('\n');
    }
    output::write(&text)
}
