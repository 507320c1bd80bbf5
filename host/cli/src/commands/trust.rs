//! `ampoule trust`: whose models this host runs.

use std::path::Path;

use ampoule::{KeyId, PublicKey, TrustStore};
use ampoule_signing::{Delegation, ModelPattern, RootStamp, SignedRoot, Timestamp, VerifiedRoot};
use serde::Serialize;
use serde_json::json;

use crate::error::Error;
use crate::output;
use crate::settings::Settings;
use crate::trust_arguments::{Removal, TrustAdd, TrustCommand, TrustRootCommand};

pub(crate) fn run(command: TrustCommand, settings: &Settings, json: bool) -> Result<(), Error> {
    let directory = settings.trust_directory()?;
    match command {
        TrustCommand::Add(options) => add(directory, &options, json),
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
        TrustCommand::Root(command) => root(directory, command, json),
    }
}

fn pattern(publisher: &str, name: Option<&str>) -> Result<ModelPattern, Error> {
    ModelPattern::new(publisher, name).map_err(|error| Error::Setting(error.to_string()))
}

fn add(directory: &Path, options: &TrustAdd, json: bool) -> Result<(), Error> {
    let pattern = pattern(&options.publisher, options.name.as_deref())?;
    let keys = options
        .keys
        .iter()
        .map(|path| PublicKey::read_file(path))
        .collect::<Result<Vec<_>, _>>()?;
    let delegation = TrustStore::update(directory, |trust| {
        let changed = trust.edit(pattern, |delegation| Ok(options.rule.apply(delegation, keys)));
        changed.cloned()
    })?;
    show_delegation(&delegation, json)
}

fn show_delegation(delegation: &Delegation, json: bool) -> Result<(), Error> {
    if json {
        return output::json(delegation);
    }
    output::write(&format!("{delegation}\n"))
}

#[derive(Serialize)]
struct Listing<'a> {
    /// The signed root that says it, or `null`: the operator's own trust.toml.
    root: Option<Root>,
    delegations: &'a [Delegation],
}

#[derive(Serialize)]
struct Root {
    version: u64,
    expires: Timestamp,
    is_expired: bool,
}

impl From<RootStamp> for Root {
    fn from(stamp: RootStamp) -> Self {
        Self {
            version: stamp.version,
            expires: stamp.expires,
            is_expired: stamp.expires < Timestamp::now(),
        }
    }
}

fn list(trust: &TrustStore, json: bool) -> Result<(), Error> {
    let root = trust.root().map(Root::from);
    if json {
        return output::json(&Listing {
            root,
            delegations: trust.delegations(),
        });
    }
    let mut text = String::new();
    if let Some(root) = root {
        let state = if root.is_expired {
            "EXPIRED, so nobody is trusted:"
        } else {
            "until"
        };
        text = format!(
            "root         version {}, {state} {}\n",
            root.version, root.expires
        );
    }
    for delegation in trust.delegations() {
        text.push_str(&format!("{delegation}\n"));
    }
    output::write(&text)
}

fn show(trust: &TrustStore, pattern: &ModelPattern, json: bool) -> Result<(), Error> {
    let deciding = match pattern.name() {
        Some(name) => trust.deciding(pattern.publisher(), name),
        None => trust.delegation_of(pattern),
    };
    match deciding {
        Some(delegation) => show_delegation(delegation, json),
        None => Err(Error::NobodyTrusted(pattern.to_string())),
    }
}

fn remove_key(settings: &Settings, key_id: KeyId, json: bool) -> Result<(), Error> {
    remove(settings, |trust| trust.remove(&key_id), || {
        Error::NoSuchKey(key_id)
    })?;
    if json {
        return output::json(&json!({ "removed": key_id }));
    }
    output::write(&format!("{key_id} is not trusted any more\n"))
}

fn remove_delegation(
    settings: &Settings,
    pattern: &ModelPattern,
    json: bool,
) -> Result<(), Error> {
    remove(settings, |trust| trust.remove_delegation(pattern), || {
        Error::NobodyTrusted(pattern.to_string())
    })?;
    if json {
        return output::json(&json!({ "removed": pattern.to_string() }));
    }
    output::write(&format!("nothing is said about {pattern} any more\n"))
}

fn remove_publisher(settings: &Settings, publisher: &str, json: bool) -> Result<(), Error> {
    remove(settings, |trust| trust.remove_publisher(publisher), || {
        Error::NobodyTrusted(publisher.to_owned())
    })?;
    if json {
        return output::json(&json!({ "removed": publisher }));
    }
    output::write(&format!(
        "nobody may sign any model of {publisher} any more\n"
    ))
}

/// Takes out what must be there: a mistyped name must not pass for a removal. `take` says whether it
/// was there.
fn remove(
    settings: &Settings,
    take: impl Fn(&mut TrustStore) -> bool,
    missing: impl Fn() -> Error,
) -> Result<(), Error> {
    // First where nothing is made or written, not even the directory.
    if !take(&mut settings.trust_store()?) {
        return Err(missing());
    }
    if !TrustStore::update(settings.trust_directory()?, |trust| Ok(take(trust)))? {
        return Err(missing());
    }
    Ok(())
}

fn root(directory: &Path, command: TrustRootCommand, json: bool) -> Result<(), Error> {
    let now = Timestamp::now();
    let installed = match command {
        TrustRootCommand::Install { root } => {
            VerifiedRoot::install(directory, SignedRoot::read_file(&root)?, now)?
        }
        TrustRootCommand::Update { roots } => {
            let roots = roots
                .iter()
                .map(|path| SignedRoot::read_file(path))
                .collect::<Result<Vec<_>, _>>()?;
            VerifiedRoot::update(directory, roots, now)?
        }
    };
    let (root, digest) = (installed.root(), installed.signed().digest());
    let keys: Vec<KeyId> = root.keys().map(PublicKey::key_id).collect();
    if json {
        return output::json(&json!({
            "version": root.version(),
            "expires": root.expires(),
            "threshold": root.threshold(),
            "key_ids": keys,
            "root_digest": digest,
        }));
    }
    let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
    output::write(&format!(
        "installed    root version {}, until {}\nroot digest  {digest}\nsigned by    {} of these keys, \
         the next version too\n             {}\n",
        root.version(),
        root.expires(),
        root.threshold(),
        names.join("\n             "),
    ))
}
