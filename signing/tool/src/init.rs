//! `init`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ampoule_command_line::Answer;
use ampoule_signing::{
    Error, MANIFEST_FILE, ManifestTemplate, PermissionPolicy, Result, SandboxBudgets,
};
use serde_json::json;

use crate::arguments::{Init, LimitOptions};
use crate::keys::refuse_existing;
use crate::progress::Shown;

/// The most left-out files that are named to a person.
const MAX_NAMED: usize = 20;

pub(crate) fn init(options: Box<Init>, permissions: &PermissionPolicy) -> Result<Answer> {
    let template = ManifestTemplate {
        publisher: options.publisher,
        name: options.name,
        version: options.version,
        release: options.release,
        not_after: options.not_after,
        tasks: options.tasks,
        component: options.component,
        capabilities: options.capabilities,
        limits: None,
        annotations: annotations(options.annotations)?,
        license: options.license,
        source: options.source,
        description: options.description,
    };
    let created = match options.created {
        Some(created) => created,
        None => ampoule_signing::now()?,
    };
    let rules = options.files.add_to(options.secrets.rules()?)?;
    // Before hours of reading.
    refuse_existing(&options.dir.join(MANIFEST_FILE), MANIFEST_FILE)?;
    let shown = Shown::begin("reading");
    let location = permissions.at(&options.dir).with_progress(shown.progress());
    let (manifest, left_out) = template.fill_by(location, created, &rules)?;
    shown.end();
    let limits = adjust(*manifest.limits(), &options.limits);
    let manifest = manifest.with_limits(limits)?;
    manifest.write_file(permissions.at(&options.dir))?;
    let files = manifest.files().len();
    let mut text = format!(
        "wrote {MANIFEST_FILE} for {} {} by {}: the component and {files} other {}; look \
         through it, then sign it",
        manifest.name(),
        manifest.version(),
        manifest.publisher(),
        if files == 1 { "file" } else { "files" }
    );
    for out in left_out.iter().take(MAX_NAMED) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\nleft out     {:?} ({})", out.path, out.reason);
    }
    if left_out.len() > MAX_NAMED {
        let more = left_out.len() - MAX_NAMED;
        let _ = write!(text, "\nleft out     {more} more; --json lists all");
    }
    let unused = rules.unused(&left_out);
    for glob in &unused {
        let _ = write!(text, "\nnothing fits --exclude {glob:?}");
    }
    Ok(Answer {
        text,
        json: json!({
            "manifest": manifest,
            "left_out": left_out,
            "unused_excludes": unused,
        }),
    })
}

fn annotations(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    let mut annotations = BTreeMap::new();
    for (key, text) in pairs {
        if annotations.contains_key(&key) {
            return Err(Error::UsageArguments(format!(
                "the annotation {key:?} is given twice"
            )));
        }
        annotations.insert(key, text);
    }
    Ok(annotations)
}

fn adjust(mut limits: SandboxBudgets, options: &LimitOptions) -> SandboxBudgets {
    limits.request.memory = options.memory.unwrap_or(limits.request.memory);
    limits.request.fuel = options.fuel.unwrap_or(limits.request.fuel);
    limits.request.deadline = options.timeout.unwrap_or(limits.request.deadline);
    limits.output = options.output.unwrap_or(limits.output);
    limits.init.memory = options.init_memory.unwrap_or(limits.init.memory);
    limits.init.fuel = options.init_fuel.unwrap_or(limits.init.fuel);
    limits.init.deadline = options.init_timeout.unwrap_or(limits.init.deadline);
    limits
}
