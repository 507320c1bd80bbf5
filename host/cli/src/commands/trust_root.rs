//! `ampoule trust root`: the signed root that a fleet follows.

use std::io::IsTerminal as _;
use std::path::Path;

use ampoule::{KeyId, PublicKey};
use ampoule_command_line::{about, is_answered_yes};
use ampoule_signing::{SignedRoot, Timestamp, VerifiedRoot};
use serde_json::json;

use crate::error::Error;
use crate::output;
use crate::settings::Settings;
use crate::trust_arguments::TrustRootCommand;

pub(crate) fn run(command: TrustRootCommand, settings: &Settings, json: bool) -> Result<(), Error> {
    let (directory, permissions) = (settings.trust_directory()?, &settings.permissions);
    let now = ampoule_signing::now()?;
    let read = |root: &Path| SignedRoot::read_file(permissions.at(root)).map_err(about(root));
    match command {
        TrustRootCommand::Install { root, digest } => {
            let signed = read(&root)?;
            match digest {
                Some(digest) => signed.check_digest(digest)?,
                None => ask(&signed.clone().verify_self_signed()?, now)?,
            }
            let installed = VerifiedRoot::install(directory, signed, now)?;
            show("installed", &installed, now, json)
        }
        TrustRootCommand::Update { roots } => {
            let roots = SignedRoot::in_order(roots.iter().map(|root| read(root)));
            let updated = VerifiedRoot::update(directory, roots, now)?;
            show("installed", &updated, now, json)
        }
        TrustRootCommand::Show => show("installed", &VerifiedRoot::open(directory)?, now, json),
    }
}

/// Shows a root, which anybody could have made, and goes on only if the person confirms it.
fn ask(first: &VerifiedRoot, now: Timestamp) -> Result<(), Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::NoDigest);
    }
    let shown = describe("about to install", first, now);
    let question = "Is this the digest that its signers told you by another way?";
    if !is_answered_yes(&format!("{shown}{question}")) {
        return Err(Error::Declined);
    }
    Ok(())
}

fn show(what: &str, verified: &VerifiedRoot, now: Timestamp, json: bool) -> Result<(), Error> {
    if !json {
        return output::write(&describe(what, verified, now));
    }
    let root = verified.root();
    output::json(&json!({
        "name": root.name(),
        "version": root.version(),
        "expires": root.expires(),
        "is_expired": verified.check_fresh(now).is_err(),
        "threshold": root.threshold(),
        "key_ids": key_ids(verified),
        "root_digest": verified.signed().digest(),
    }))
}

fn key_ids(verified: &VerifiedRoot) -> Vec<KeyId> {
    verified.root().keys().map(PublicKey::key_id).collect()
}

fn describe(what: &str, verified: &VerifiedRoot, now: Timestamp) -> String {
    let root = verified.root();
    let state = match verified.check_fresh(now) {
        Ok(()) => "until",
        Err(_) => "EXPIRED, so no model is trusted:",
    };
    let names: Vec<String> = key_ids(verified).iter().map(ToString::to_string).collect();
    format!(
        "{what:<12} root of {}, version {}, {state} {}\nroot digest  sha256:{}\nsigned by    {} of these keys, the \
         next version too\n             {}\n",
        root.name(),
        root.version(),
        root.expires(),
        verified.signed().digest(),
        root.threshold(),
        names.join("\n             "),
    )
}
