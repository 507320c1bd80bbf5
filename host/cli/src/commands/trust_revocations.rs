//! `ampoule trust revocations`: the signed lists of things that are trusted no more.

use std::path::PathBuf;

use ampoule::{KeyId, PublicKey, TrustStore};
use ampoule_command_line::about;
use ampoule_signing::{RevocationAuthority, RevocationMode, Role, SignedRevocations};
use serde_json::json;

use crate::error::Error;
use crate::output;
use crate::settings::Settings;
use crate::trust_arguments::{TrustRevocationsCommand, TrustRevocationsSigners};

pub(crate) fn run(
    command: TrustRevocationsCommand,
    settings: &Settings,
    json: bool,
) -> Result<(), Error> {
    let (directory, permissions) = (settings.trust_directory()?, &settings.permissions);
    match command {
        TrustRevocationsCommand::Signers(options) => signers(settings, &options)?,
        TrustRevocationsCommand::Update { lists } => {
            let read = |list: &PathBuf| {
                SignedRevocations::read_file(permissions.at(list)).map_err(about(list))
            };
            let lists = SignedRevocations::in_order(lists.iter().map(read));
            TrustStore::update_revocations(directory.clone(), lists, ampoule_signing::now()?)?;
        }
        TrustRevocationsCommand::Show => {}
    }
    show(&TrustStore::open(directory)?, json)
}

fn signers(settings: &Settings, options: &TrustRevocationsSigners) -> Result<(), Error> {
    let keys = options
        .keys
        .iter()
        .map(|path| PublicKey::read_file(settings.permissions.at(path)).map_err(about(path)))
        .collect::<Result<Vec<_>, _>>()?;
    settings.change_trust(|trust| {
        if let Some(name) = &options.name {
            let role = Role::new(keys, options.threshold)?;
            trust.set_revocation_authority(Some(RevocationAuthority::new(name, role)?));
        }
        if let Some(mode) = options.mode {
            trust.set_revocation_mode(mode);
        }
        Ok(())
    })?;
    Ok(())
}

fn show(trust: &TrustStore, json: bool) -> Result<(), Error> {
    let now = ampoule_signing::now()?;
    let (mode, authority, list) = (
        trust.revocation_mode(),
        trust.revocation_authority(),
        trust.revocations(),
    );
    let key_ids = |authority: &RevocationAuthority| -> Vec<KeyId> {
        (authority.role().keys()).map(PublicKey::key_id).collect()
    };
    if json {
        return output::json(&json!({
            "mode": mode.to_string(),
            "authority": authority.map(|authority| json!({
                "name": authority.name(),
                "threshold": authority.role().threshold(),
                "key_ids": key_ids(authority),
            })),
            "list": list,
            "is_expired": list.map(|list| list.is_expired(now)),
        }));
    }
    let mut lines = vec![
        match mode {
            RevocationMode::Strict => {
                "mode         strict: without a fresh list no model is trusted"
            }
            RevocationMode::Permissive => {
                "mode         permissive: without a fresh list the last one is obeyed"
            }
        }
        .to_owned(),
    ];
    match authority {
        None => lines.push("signed by    nobody, so no list is obeyed".to_owned()),
        Some(authority) => {
            lines.push(format!(
                "signed by    {} of these keys, for {}",
                authority.role().threshold(),
                authority.name()
            ));
            lines.extend(
                key_ids(authority)
                    .iter()
                    .map(|id| format!("             {id}")),
            );
        }
    }
    match list {
        None => lines.push("list         none".to_owned()),
        Some(list) => {
            let state = if list.is_expired(now) {
                "EXPIRED:"
            } else {
                "until"
            };
            lines.push(format!(
                "list         version {}, {state} {}",
                list.version(),
                list.expires()
            ));
            lines.extend(list.entries().map(|(what, reason)| match reason {
                Some(reason) => format!("revoked      {what}: {reason}"),
                None => format!("revoked      {what}"),
            }));
        }
    }
    output::write(&(lines.join("\n") + "\n"))
}
