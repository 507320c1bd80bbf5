//! `ampoule trust releases`: the releases that this machine remembers.

use ampoule_signing::ModelPattern;
use serde_json::json;

use crate::error::Error;
use crate::output;
use crate::settings::Settings;
use crate::trust_arguments::TrustReleasesCommand;

pub(crate) fn run(
    command: TrustReleasesCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    match command {
        TrustReleasesCommand::List { publisher } => list(settings, publisher.as_deref(), json),
        TrustReleasesCommand::Forget { model, to } => forget(settings, &model, to, json),
    }
}

fn list(settings: &Settings, publisher: Option<&str>, json: bool) -> Result<(), Error> {
    let mut seen = settings.releases()?.seen()?;
    if let Some(publisher) = publisher {
        let prefix = format!("{publisher}/");
        seen.retain(|model, _| model.starts_with(&prefix));
    }
    if json {
        return output::json(&json!({ "releases": seen }));
    }
    let lines = seen.iter().map(|(model, seen)| match seen.manifest {
        Some(digest) => format!(
            "{model} release {}, manifest sha256:{digest}\n",
            seen.release
        ),
        None => format!("{model} release {}, by an operator\n", seen.release),
    });
    output::write(&lines.collect::<String>())
}

fn forget(
    settings: &Settings,
    model: &ModelPattern,
    to: Option<u64>,
    json: bool,
) -> Result<(), Error> {
    let name = model.name().ok_or_else(|| {
        Error::Setting(format!(
            "expected one model, PUBLISHER/MODEL, found {model}: a forgotten release protects its model no more"
        ))
    })?;
    let forgotten = settings.releases()?.forget(model.publisher(), name, to)?;
    let forgotten = forgotten.ok_or_else(|| Error::NothingToForget(model.to_string()))?;
    if json {
        return output::json(&json!({ "model": model.to_string(), "was": forgotten, "to": to }));
    }
    output::write(&match to {
        Some(to) if to == forgotten.release => format!(
            "{model}: the bundle that was release {to} is forgotten; any of {to} and newer ones may be the next\n"
        ),
        Some(to) => format!(
            "{model}: release {} is forgotten; {to} and newer ones may be the next\n",
            forgotten.release
        ),
        None => format!(
            "{model}: release {} is forgotten; any release may be the next\n",
            forgotten.release
        ),
    })
}
