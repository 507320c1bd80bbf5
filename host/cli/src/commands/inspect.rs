//! `ampoule inspect`: shows a bundle, whether this host trusts it or not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ampoule::{Capability, Inspection, KeyId, Manifest};
use ampoule_signing::{TrustStore, text};
use serde::Serialize;

use crate::arguments::BundleCommand;
use crate::error::{Error, explained};
use crate::model_choice::ModelChoice;
use crate::output;
use crate::settings::Settings;

#[derive(Serialize)]
struct Document<'a> {
    /// This host's verdict, with the reason for a refusal.
    verdict: Verdict,
    /// The manifest. It and everything below are the bundle's own words, unverified.
    manifest: &'a Manifest,
    /// The keys that the signatures name.
    signatures: &'a [KeyId],
    /// Capabilities that it asks for beyond the inert base; true for those that this host grants.
    capabilities: BTreeMap<&'a str, bool>,
    /// Imports and exports of the component.
    imports: &'a [String],
    exports: &'a [String],
    /// Start of its sandboxes, as far as its bytes tell: `snapshot`, or `cold` with `init` in each.
    start: &'static str,
    /// The obstacle to a snapshot.
    start_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct Verdict {
    /// True if somebody whom this host trusts for it signed it, and its files are whole.
    trusted: bool,
    /// True if it is trusted and this host's policy lets it run.
    admitted: bool,
    code: Option<String>,
    message: Option<String>,
}

pub(crate) fn run(command: BundleCommand, settings: &Settings, json: bool) -> Result<(), Error> {
    let choice = ModelChoice::from(command);
    let bundle = choice.open(settings)?;
    // Without a trust directory nobody is trusted, and the bundle is shown all the same.
    let trust = match choice.trust(settings) {
        Err(Error::NoTrust) => TrustStore::new(),
        other => other?,
    };
    let mut inspection = ampoule::inspect_bundle(bundle, &trust, &settings.limits)?;
    if let Some(releases) = choice.releases(settings) {
        inspection = inspection.after(&releases);
    }
    let document = describe(&inspection, settings);
    if json {
        return output::json(&document);
    }
    output::write(&to_text(&document))
}

fn describe<'a>(inspection: &'a Inspection, settings: &Settings) -> Document<'a> {
    let manifest = &inspection.manifest;
    let is_granted = |name: &str| {
        let known = Capability::from_name(name);
        known.is_some_and(|known| {
            ampoule::is_granted(known, manifest, &settings.allowed, settings.profile)
        })
    };
    let error = inspection.verdict.as_ref().err();
    let (imports, exports) = match &inspection.surface {
        Ok(surface) => (surface.imports(), surface.exports()),
        Err(_) => (&[][..], &[][..]),
    };
    Document {
        verdict: Verdict {
            trusted: inspection.is_trusted(),
            admitted: inspection.is_admitted(),
            code: error.map(|error| error.code().to_owned()),
            message: error.map(explained),
        },
        manifest,
        signatures: &inspection.signatures,
        capabilities: manifest
            .capabilities()
            .iter()
            .map(|name| (name.as_str(), is_granted(name)))
            .collect(),
        imports,
        exports,
        start: match inspection.snapshot_obstacle {
            None => "snapshot",
            Some(_) => "cold",
        },
        start_reason: inspection.snapshot_obstacle.as_deref(),
    }
}

fn to_text(document: &Document<'_>) -> String {
    let manifest = document.manifest;
    let limits = manifest.limits();
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{label:<12} {value}");
    };
    match (&document.verdict.code, &document.verdict.message) {
        (Some(code), Some(message)) if document.verdict.trusted => {
            line(
                "verdict",
                &format!("trusted, and refused [{code}]: {message}"),
            );
        }
        (Some(code), Some(message)) => line("verdict", &format!("refused [{code}]: {message}")),
        _ => line(
            "verdict",
            "trusted and admitted; `ampoule verify` compiles and initialises it too",
        ),
    }
    line(
        "model",
        &format!(
            "{}/{} {} (release {})",
            manifest.publisher(),
            manifest.name(),
            manifest.version(),
            manifest.release()
        ),
    );
    for key in document.signatures {
        line("signed by", &key.to_string());
    }
    line("contract", manifest.contract());
    line("tasks", &manifest.tasks().join(", "));
    line("capabilities", &capabilities(&document.capabilities));
    line(
        "request",
        &format!(
            "{} of memory, {} of fuel, {} ms, {} of output",
            limits.request.memory,
            limits.request.fuel,
            limits.request.deadline.as_millis(),
            limits.output
        ),
    );
    line(
        "init",
        &format!(
            "{} of memory, {} of fuel, {} ms",
            limits.init.memory,
            limits.init.fuel,
            limits.init.deadline.as_millis()
        ),
    );
    match document.start_reason {
        None => line("start", document.start),
        Some(reason) => line("start", &format!("{}: {reason}", document.start)),
    }
    for file in std::iter::once(manifest.component()).chain(manifest.files()) {
        line("file", &format!("{} {:?}", file.size(), file.path()));
    }
    // Names in a component are bytes of a stranger: shown escaped, and no longer than a name is.
    for import in document.imports {
        line("imports", &format!("{:?}", text::name(import)));
    }
    for export in document.exports {
        line("exports", &format!("{:?}", text::name(export)));
    }
    text
}

fn capabilities(asked: &BTreeMap<&str, bool>) -> String {
    if asked.is_empty() {
        return "none".to_owned();
    }
    let shown = asked.iter().map(|(name, is_granted)| match is_granted {
        true => format!("{name} (granted by this host)"),
        false => format!("{name} (not granted by this host; see --allow)"),
    });
    shown.collect::<Vec<_>>().join(", ")
}
