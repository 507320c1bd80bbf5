//! `root`: the signed form of trust, for fleets.

use std::path::Path;

use ampoule_command_line::{Answer, about};
use ampoule_signing::{
    Error, KeyId, Location, PermissionPolicy, PublicKey, Result, RevocationMode, Role, Root,
    SignedRoot, update_draft, write_draft,
};
use serde_json::{Value, json};

use crate::document_arguments::NextDraft;
use crate::documents::{
    Shown, check_signed, cosign, draft_answer, inspect, read_keys, sign, signed_answer,
};
use crate::root_arguments::{
    RootAddKey, RootCaps, RootCommand, RootDelegate, RootInit, RootRemoveDelegation, RootRemoveKey,
    RootRevocation, RootVerify,
};

pub(crate) fn root(command: &RootCommand, permissions: &PermissionPolicy) -> Result<Answer> {
    match command {
        RootCommand::Init(options) => init(options, permissions),
        RootCommand::Delegate(options) => delegate(options, permissions),
        RootCommand::Caps(options) => caps(options, permissions),
        RootCommand::Revocation(options) => revocation(options, permissions),
        RootCommand::AddKey(options) => add_key(options, permissions),
        RootCommand::RemoveKey(options) => remove_key(options, permissions),
        RootCommand::RemoveDelegation(options) => remove_delegation(options, permissions),
        RootCommand::Next(options) => next(options, permissions),
        RootCommand::Sign(options) => sign::<Root>(options, permissions),
        RootCommand::Cosign(options) => cosign::<Root>(options, permissions),
        RootCommand::Verify(options) => verify(options, permissions),
        RootCommand::Inspect(options) => inspect::<Root>(&options.root, permissions),
    }
}

fn init(options: &RootInit, permissions: &PermissionPolicy) -> Result<Answer> {
    let keys = read_keys(&options.keys, permissions)?;
    let root = Root::new(&options.name, keys, options.threshold, options.expires)?;
    write_draft(permissions.at(&options.draft), &root).map_err(about(&options.draft))?;
    Ok(draft_answer(&root))
}

fn delegate(options: &RootDelegate, permissions: &PermissionPolicy) -> Result<Answer> {
    let keys = read_keys(&options.keys, permissions)?;
    change(permissions.at(&options.draft), |root| {
        root.change_trust(|trust| {
            trust
                .edit(options.pattern.clone(), |delegation| {
                    Ok(options.rule.apply(delegation, keys))
                })
                .map(drop)
        })
    })
}

fn caps(options: &RootCaps, permissions: &PermissionPolicy) -> Result<Answer> {
    change(permissions.at(&options.draft), |root| {
        root.change_trust(|trust| {
            let caps = options.caps.apply(trust.caps().clone());
            trust.set_caps(caps);
            Ok(())
        })
    })
}

fn revocation(options: &RootRevocation, permissions: &PermissionPolicy) -> Result<Answer> {
    let keys = read_keys(&options.keys, permissions)?;
    change(permissions.at(&options.draft), |root| {
        let root = match options.mode {
            Some(mode) => root.with_revocation_mode(mode),
            None => root,
        };
        match &keys[..] {
            [] if options.by_root_keys => root.with_revocation(None),
            [] => Ok(root),
            keys => {
                let role = Role::new(keys.iter().cloned(), options.threshold)?;
                root.with_revocation(Some(role))
            }
        }
    })
}

fn add_key(options: &RootAddKey, permissions: &PermissionPolicy) -> Result<Answer> {
    let key = PublicKey::read_file(permissions.at(&options.key)).map_err(about(&options.key))?;
    change(permissions.at(&options.draft), |root| {
        let threshold = options.threshold.unwrap_or(root.threshold());
        root.with_key(key)?.with_threshold(threshold)
    })
}

fn remove_key(options: &RootRemoveKey, permissions: &PermissionPolicy) -> Result<Answer> {
    change(permissions.at(&options.draft), |root| {
        root.without_key(&options.key_id)
    })
}

fn remove_delegation(
    options: &RootRemoveDelegation,
    permissions: &PermissionPolicy,
) -> Result<Answer> {
    let pattern = &options.pattern;
    change(permissions.at(&options.draft), |root| {
        root.change_trust(|trust| {
            if trust.remove_delegation(pattern) {
                return Ok(());
            }
            Err(Error::UsageArguments(format!(
                "the draft has no rule for {pattern}"
            )))
        })
    })
}

fn next(options: &NextDraft, permissions: &PermissionPolicy) -> Result<Answer> {
    check_signed::<Root>(options, permissions)?;
    change(permissions.at(&options.draft), |root| {
        root.next(options.expires)
    })
}

fn change(draft: Location<'_>, change: impl FnOnce(Root) -> Result<Root>) -> Result<Answer> {
    Ok(draft_answer(&update_draft(draft, change)?))
}

fn verify(options: &RootVerify, permissions: &PermissionPolicy) -> Result<Answer> {
    let read = |path: &Path| SignedRoot::read_file(permissions.at(path)).map_err(about(path));
    let signed = read(&options.root)?;
    let verified = match &options.from {
        None => signed.verify_self_signed()?,
        Some(from) => read(from)?.verify_self_signed()?.follow(signed)?,
    };
    verified.check_fresh(ampoule_signing::now()?)?;
    let (root, signed) = (verified.root(), verified.signed());
    let first = match &options.from {
        None => {
            "verified: enough of its own keys signed it; nothing here shows that they are the right ones"
        }
        Some(_) => "verified: enough of the old root's keys and of its own signed it",
    };
    Ok(signed_answer(
        first,
        root,
        signed,
        json!({ "verified": true }),
    ))
}

impl Shown for Root {
    const NAME: &'static str = "root";

    fn to_value(&self) -> Value {
        document(self)
    }

    fn to_lines(&self) -> String {
        describe(self)
    }
}

fn document(root: &Root) -> Value {
    let keys: Vec<KeyId> = root.keys().map(PublicKey::key_id).collect();
    json!({
        "name": root.name(),
        "version": root.version(),
        "expires": root.expires(),
        "threshold": root.threshold(),
        "key_ids": keys,
        "revocation": root.revocation().map(|role| json!({
            "threshold": role.threshold(),
            "key_ids": role.keys().map(PublicKey::key_id).collect::<Vec<_>>(),
        })),
        "revocation_mode": root.revocation_mode().to_string(),
        "caps": root.caps(),
        "delegations": root.delegations(),
    })
}

fn describe(root: &Root) -> String {
    let mut lines = vec![
        format!("name         {}", root.name()),
        format!("version      {}", root.version()),
        format!("expires      {}", root.expires()),
        format!(
            "signed by    {} of these keys, the next version too",
            root.threshold()
        ),
    ];
    lines.extend(
        root.keys()
            .map(|key| format!("             {}", key.key_id())),
    );
    if let Some(role) = root.revocation() {
        lines.push(format!("revocations  {} of these keys", role.threshold()));
        lines.extend(
            role.keys()
                .map(|key| format!("             {}", key.key_id())),
        );
    }
    if root.revocation_mode() == RevocationMode::Strict {
        lines.push("strict       without a fresh revocation list no model is trusted".to_owned());
    }
    if !root.caps().is_empty() {
        lines.push(format!("all models   at most {}", root.caps()));
    }
    for delegation in root.delegations() {
        lines.push(delegation.to_string());
    }
    lines.join("\n")
}
