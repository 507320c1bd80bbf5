//! `inspect`.

use std::fmt::Write as _;

use ampoule_command_line::Answer;
use ampoule_signing::{
    Bundle, FileDigest, FileEntry, Manifest, PermissionPolicy, Result, Sha256Digest,
};
use serde_json::json;

use crate::arguments::Inspect;

pub(crate) fn inspect(options: &Inspect, permissions: &PermissionPolicy) -> Result<Answer> {
    let bundle = Bundle::open(permissions.at(&options.bundle))?;
    let manifest = bundle.unverified_manifest()?;
    let digest = Sha256Digest::of(bundle.envelope().payload());
    let key_ids = bundle.envelope().key_ids();
    let mut text = "NOT VERIFIED: the bundle as it describes itself\n".to_owned();
    describe(&mut text, &manifest);
    row(&mut text, "manifest", digest);
    if key_ids.is_empty() {
        row(&mut text, "signatures", "none");
    }
    for key_id in &key_ids {
        row(
            &mut text,
            "signature",
            format_args!("names the key {key_id}"),
        );
    }
    Ok(Answer {
        text: text.trim_end().to_owned(),
        json: json!({
            "verified": false,
            "manifest": manifest,
            "manifest_digest": digest,
            "signature_key_ids": key_ids,
        }),
    })
}

/// Lists a manifest's fields, one a row.
pub(crate) fn describe(text: &mut String, manifest: &Manifest) {
    row(text, "publisher", manifest.publisher());
    row(text, "name", manifest.name());
    row(
        text,
        "version",
        format_args!("{} (release {})", manifest.version(), manifest.release()),
    );
    row(text, "created", manifest.created());
    if let Some(not_after) = manifest.not_after() {
        row(text, "not after", not_after);
    }
    row(text, "contract", manifest.contract());
    row(text, "tasks", manifest.tasks().join(", "));
    if !manifest.capabilities().is_empty() {
        row(text, "asks for", manifest.capabilities().join(", "));
    }
    row(text, "component", file(manifest.component()));
    for entry in manifest.files() {
        row(text, "file", file(entry));
    }
    let limits = manifest.limits();
    let request = limits.request;
    row(
        text,
        "a request",
        format_args!(
            "memory {}, fuel {}, time {:?}, output {}",
            request.memory, request.fuel, request.deadline, limits.output
        ),
    );
    let init = limits.init;
    row(
        text,
        "loading",
        format_args!(
            "memory {}, fuel {}, time {:?}",
            init.memory, init.fuel, init.deadline
        ),
    );
    for (name, value) in [
        ("license", manifest.license()),
        ("source", manifest.source()),
        ("description", manifest.description()),
    ] {
        if let Some(value) = value {
            row(text, name, quoted(value));
        }
    }
    for (key, value) in manifest.annotations() {
        row(
            text,
            "annotation",
            format_args!("{key} = {}", quoted(value)),
        );
    }
}

fn row(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name:<12} {value}");
}

fn file(entry: &FileEntry) -> String {
    let digest = match entry.digest() {
        FileDigest::Sha256(digest) => format!("sha256 {digest}"),
        FileDigest::Sha256Chunks { digests, .. } => {
            format!("sha256 in {} chunks", digests.len())
        }
        _ => "another digest".to_owned(),
    };
    format!("{} ({}, {digest})", entry.path(), entry.size())
}

/// Quotes a publisher's free text in one line, without characters that could mislead a terminal's reader: line ends
/// that fake a row, and marks that change the direction of the text.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
