//! `init`.

use std::collections::BTreeMap;

use ampoule_signing::{
    Error, MANIFEST_FILE, ManifestLimits, ManifestTemplate, PermissionPolicy, Result, Timestamp,
};
use serde_json::json;

use crate::arguments::{Init, LimitOptions};
use crate::output::Answer;

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
    let created = options.created.unwrap_or_else(Timestamp::now);
    let manifest = template.fill(permissions.at(&options.dir), created)?;
    let limits = adjust(*manifest.limits(), &options.limits);
    let manifest = manifest.with_limits(limits)?;
    manifest.write_file(permissions.at(&options.dir))?;
    let files = manifest.files().len();
    Ok(Answer {
        text: format!(
            "wrote {MANIFEST_FILE} for {} {} by {}: the component and {files} other files; look \
             through it, then sign it",
            manifest.name(),
            manifest.version(),
            manifest.publisher()
        ),
        json: json!({ "manifest": manifest }),
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

fn adjust(mut limits: ManifestLimits, options: &LimitOptions) -> ManifestLimits {
    limits.memory = options.memory.unwrap_or(limits.memory);
    limits.fuel = options.fuel.unwrap_or(limits.fuel);
    limits.deadline = options.timeout.unwrap_or(limits.deadline);
    limits.output = options.output.unwrap_or(limits.output);
    limits.init.memory = options.init_memory.unwrap_or(limits.init.memory);
    limits.init.fuel = options.init_fuel.unwrap_or(limits.init.fuel);
    limits.init.deadline = options.init_timeout.unwrap_or(limits.init.deadline);
    limits
}
