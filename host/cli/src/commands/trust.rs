//! `ampoule trust`: the rules that say whose models run here.

use ampoule::{KeyId, PublicKey, TrustStore};
use ampoule_command_line::{CapOptions, about};
use ampoule_signing::{Caps, Delegation, ModelPattern, RootInfo, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::commands::{trust_releases, trust_revocations, trust_root};
use crate::error::Error;
use crate::output;
use crate::settings::Settings;
use crate::trust_arguments::{Removal, TrustAdd, TrustCommand};

pub(crate) fn run(command: TrustCommand, settings: &Settings, json: bool) -> Result<(), Error> {
    match command {
        TrustCommand::Add(options) => add(settings, &options, json),
        TrustCommand::Caps(options) => caps(settings, &options, json),
        TrustCommand::List => list(&settings.trust_store()?, json),
        TrustCommand::Show { pattern } => show(&settings.trust_store()?, &pattern, json),
        TrustCommand::Remove {
            what,
            publisher,
            name,
        } => match (what, publisher, name) {
            (Some(Removal::Key(key_id)), ..) => remove_key(settings, key_id, json),
            (Some(Removal::Pattern(pattern)), ..) => remove_delegation(settings, &pattern, json),
            (None, Some(publisher), None) => remove_publisher(settings, &publisher, json),
            (None, Some(publisher), Some(name)) => {
                remove_delegation(settings, &pattern(&publisher, Some(&name))?, json)
            }
            // clap sees to it that there is one of the two.
            (None, None, _) => Err(Error::Internal("nothing to remove")),
        },
        TrustCommand::Root(command) => trust_root::run(command, settings, json),
        TrustCommand::Revocations(command) => trust_revocations::run(command, settings, json),
        TrustCommand::Releases(command) => trust_releases::run(command, settings, json),
    }
}

fn pattern(publisher: &str, name: Option<&str>) -> Result<ModelPattern, Error> {
    ModelPattern::new(publisher, name).map_err(|error| Error::Setting(error.to_string()))
}

fn add(settings: &Settings, options: &TrustAdd, json: bool) -> Result<(), Error> {
    let pattern = pattern(&options.publisher, options.name.as_deref())?;
    let keys = options
        .keys
        .iter()
        .map(|path| PublicKey::read_file(settings.permissions.at(path)).map_err(about(path)))
        .collect::<Result<Vec<_>, _>>()?;
    let delegation = settings.change_trust(|trust| {
        let changed = trust.edit(pattern, |delegation| {
            Ok(options.rule.apply(delegation, keys))
        });
        changed.cloned()
    })?;
    show_delegation(&delegation, json)
}

fn caps(settings: &Settings, options: &CapOptions, json: bool) -> Result<(), Error> {
    let caps = settings.change_trust(|trust| {
        let caps = options.apply(trust.caps().clone());
        trust.set_caps(caps.clone());
        Ok(caps)
    })?;
    if json {
        return output::json(&caps);
    }
    if caps.is_empty() {
        return output::write(
            "all models   have no cap but those of their own rules and this host's limits\n",
        );
    }
    output::write(&format!("all models   at most {caps}\n"))
}

/// Describes a delegation, with marks on the parts that do not hold now.
fn document(delegation: &Delegation, now: Timestamp) -> Result<Value, Error> {
    let mut document =
        serde_json::to_value(delegation).map_err(|error| Error::Write(error.to_string()))?;
    document["is_valid"] = delegation.validity().contains(now).into();
    for (place, key) in delegation.keys().enumerate() {
        document["keys"][place]["is_valid"] = key.validity().contains(now).into();
    }
    Ok(document)
}

fn show_delegation(delegation: &Delegation, json: bool) -> Result<(), Error> {
    let now = ampoule_signing::now()?;
    if json {
        return output::json(&document(delegation, now)?);
    }
    output::write(&format!("{}\n", delegation.described_at(now)))
}

#[derive(Serialize)]
struct Listing<'a> {
    /// The signed root that has the rules, or `null`: the operator's own trust.toml.
    root: Option<Root<'a>>,
    /// Caps on all models, whoever signed them.
    caps: &'a Caps,
    delegations: Vec<Value>,
}

#[derive(Serialize)]
struct Root<'a> {
    name: &'a str,
    version: u64,
    expires: Timestamp,
    is_expired: bool,
}

impl<'a> Root<'a> {
    fn new(info: &'a RootInfo, now: Timestamp) -> Self {
        Self {
            name: &info.name,
            version: info.version,
            expires: info.expires,
            is_expired: info.is_expired(now),
        }
    }

    fn to_text(&self) -> String {
        let state = if self.is_expired {
            "EXPIRED, so no model is trusted:"
        } else {
            "until"
        };
        format!(
            "root         {} version {}, {state} {}\n",
            self.name, self.version, self.expires
        )
    }
}

fn list(trust: &TrustStore, json: bool) -> Result<(), Error> {
    let now = ampoule_signing::now()?;
    let root = trust.root().map(|info| Root::new(info, now));
    if json {
        return output::json(&Listing {
            root,
            caps: trust.caps(),
            delegations: trust
                .delegations()
                .iter()
                .map(|delegation| document(delegation, now))
                .collect::<Result<_, _>>()?,
        });
    }
    let mut text = root.map(|root| root.to_text()).unwrap_or_default();
    if !trust.caps().is_empty() {
        text.push_str(&format!("all models   at most {}\n", trust.caps()));
    }
    for delegation in trust.delegations() {
        text.push_str(&format!("{}\n", delegation.described_at(now)));
    }
    output::write(&text)
}

fn show(trust: &TrustStore, pattern: &ModelPattern, json: bool) -> Result<(), Error> {
    let deciding = match pattern.name() {
        Some(name) => trust.delegation_for(pattern.publisher(), name),
        None => trust.delegation_of(pattern),
    };
    let delegation = deciding.ok_or_else(|| Error::NobodyTrusted(pattern.to_string()))?;
    let now = ampoule_signing::now()?;
    let root = trust.root().map(|info| Root::new(info, now));
    if json {
        let mut document = document(delegation, now)?;
        document["root"] = json!(root);
        return output::json(&document);
    }
    let root = root.map(|root| root.to_text()).unwrap_or_default();
    output::write(&format!("{root}{}\n", delegation.described_at(now)))
}

fn remove_key(settings: &Settings, key_id: KeyId, json: bool) -> Result<(), Error> {
    remove(
        settings,
        |trust| trust.remove(&key_id),
        || Error::NoSuchKey(key_id),
    )?;
    if json {
        return output::json(&json!({ "removed": key_id }));
    }
    output::write(&format!("removed the key {key_id}\n"))
}

fn remove_delegation(settings: &Settings, pattern: &ModelPattern, json: bool) -> Result<(), Error> {
    remove(
        settings,
        |trust| trust.remove_delegation(pattern),
        || Error::NobodyTrusted(pattern.to_string()),
    )?;
    if json {
        return output::json(&json!({ "removed": pattern.to_string() }));
    }
    output::write(&format!("removed the rule for {pattern}\n"))
}

fn remove_publisher(settings: &Settings, publisher: &str, json: bool) -> Result<(), Error> {
    remove(
        settings,
        |trust| trust.remove_publisher(publisher),
        || Error::NobodyTrusted(publisher.to_owned()),
    )?;
    if json {
        return output::json(&json!({ "removed": publisher }));
    }
    output::write(&format!("removed all rules for models of {publisher}\n"))
}

/// Removes a thing that must exist: a mistyped name must not pass for a removal. `take` returns true if it existed.
fn remove(
    settings: &Settings,
    take: impl Fn(&mut TrustStore) -> bool,
    missing: impl Fn() -> Error,
) -> Result<(), Error> {
    // First where nothing is made or written, not even the directory.
    if !take(&mut settings.trust_store()?) {
        return Err(missing());
    }
    if !settings.change_trust(|trust| Ok(take(trust)))? {
        return Err(missing());
    }
    Ok(())
}
