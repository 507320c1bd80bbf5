//! `root`: the signed form of trust, for fleets.

use std::path::{Path, PathBuf};

use ampoule_signing::{
    Error, KeyId, PermissionPolicy, PublicKey, Result, Role, Root, SignedRoot, Timestamp,
};
use serde_json::{Value, json};

use crate::confirm::confirm;
use crate::output::Answer;
use crate::root_arguments::{
    RootAddKey, RootCaps, RootCommand, RootCosign, RootDelegate, RootInit, RootInspect, RootNext,
    RootRemoveDelegation, RootRemoveKey, RootRevocation, RootSign, RootVerify,
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
        RootCommand::Sign(options) => sign(options, permissions),
        RootCommand::Cosign(options) => cosign(options, permissions),
        RootCommand::Verify(options) => verify(options, permissions),
        RootCommand::Inspect(options) => inspect(options, permissions),
    }
}

fn init(options: &RootInit, permissions: &PermissionPolicy) -> Result<Answer> {
    let keys = read_keys(&options.keys, permissions)?;
    let root = Root::new(&options.name, keys, options.threshold, options.expires)?;
    root.write_file(permissions.at(&options.draft))?;
    draft_answer(&root)
}

fn delegate(options: &RootDelegate, permissions: &PermissionPolicy) -> Result<Answer> {
    let keys = read_keys(&options.keys, permissions)?;
    let root = Root::update_file(permissions.at(&options.draft), |root| {
        root.change_trust(|trust| {
            trust
                .edit(options.pattern.clone(), |delegation| {
                    Ok(options.rule.apply(delegation, keys))
                })
                .map(drop)
        })
    })?;
    draft_answer(&root)
}

fn caps(options: &RootCaps, permissions: &PermissionPolicy) -> Result<Answer> {
    let root = Root::update_file(permissions.at(&options.draft), |root| {
        root.change_trust(|trust| {
            let caps = options.caps.apply(trust.caps().clone());
            trust.set_caps(caps);
            Ok(())
        })
    })?;
    draft_answer(&root)
}

fn revocation(options: &RootRevocation, permissions: &PermissionPolicy) -> Result<Answer> {
    let keys = read_keys(&options.keys, permissions)?;
    let root = Root::update_file(permissions.at(&options.draft), |root| {
        let role = match &keys[..] {
            [] => None,
            keys => Some(Role::new(keys.iter().cloned(), options.threshold)?),
        };
        root.with_revocation(role)
    })?;
    draft_answer(&root)
}

fn add_key(options: &RootAddKey, permissions: &PermissionPolicy) -> Result<Answer> {
    let key = PublicKey::read_file(permissions.at(&options.key))?;
    let root = Root::update_file(permissions.at(&options.draft), |root| {
        let threshold = options.threshold.unwrap_or(root.threshold());
        root.with_key(key)?.with_threshold(threshold)
    })?;
    draft_answer(&root)
}

fn remove_key(options: &RootRemoveKey, permissions: &PermissionPolicy) -> Result<Answer> {
    let root = Root::update_file(permissions.at(&options.draft), |root| {
        root.without_key(&options.key_id)
    })?;
    draft_answer(&root)
}

fn remove_delegation(
    options: &RootRemoveDelegation,
    permissions: &PermissionPolicy,
) -> Result<Answer> {
    let pattern = &options.pattern;
    let root = Root::update_file(permissions.at(&options.draft), |root| {
        root.change_trust(|trust| {
            if trust.remove_delegation(pattern) {
                return Ok(());
            }
            Err(Error::UsageArguments(format!(
                "the draft says nothing about {pattern}"
            )))
        })
    })?;
    draft_answer(&root)
}

fn next(options: &RootNext, permissions: &PermissionPolicy) -> Result<Answer> {
    let (payload, root) = Root::read_file(permissions.at(&options.draft))?;
    let version = root.version();
    let signed = options
        .signed
        .clone()
        .unwrap_or_else(|| signed_path(&options.draft, version));
    // No host follows a chain with a version left out.
    let is_signed = SignedRoot::read_file(permissions.at(&signed))
        .is_ok_and(|signed| signed.envelope().payload() == payload);
    if !is_signed {
        return Err(Error::UsageArguments(format!(
            "version {version} was not signed as the draft has it, and hosts cannot leave a version \
             out; sign it first, or name the signed root with --signed"
        )));
    }
    let root = Root::update_file(permissions.at(&options.draft), |root| {
        root.next(options.expires)
    })?;
    draft_answer(&root)
}

/// What `root sign` calls the signed form of a draft.
fn signed_path(draft: &Path, version: u64) -> PathBuf {
    draft.with_file_name(format!("{version}.root.dsse.json"))
}

fn check_signable(root: &Root, allow_expired: bool) -> Result<()> {
    if allow_expired {
        return Ok(());
    }
    root.check_signable(Timestamp::now())
}

fn sign(options: &RootSign, permissions: &PermissionPolicy) -> Result<Answer> {
    let (payload, root) = Root::read_file(permissions.at(&options.draft))?;
    check_signable(&root, options.allow_expired)?;
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| signed_path(&options.draft, root.version()));
    crate::keys::refuse_existing(&out, "the root's file")?;
    let keys = options
        .keys
        .iter()
        .map(|path| options.password.open_key(path, permissions))
        .collect::<Result<Vec<_>>>()?;
    let signed = SignedRoot::sign(payload, &keys.iter().collect::<Vec<_>>())?;
    signed.write_file(permissions.at(&out))?;
    let first = format!("signed, wrote {}", out.display());
    Ok(signed_answer(&first, &root, &signed, json!({})))
}

fn cosign(options: &RootCosign, permissions: &PermissionPolicy) -> Result<Answer> {
    let key = options.password.open_key(&options.key, permissions)?;
    let key_id = key.public_key().key_id();
    let review = |signed: &SignedRoot, root: &Root| {
        check_signable(root, options.allow_expired)?;
        match options.digest {
            Some(digest) => signed.check_digest(digest),
            None => confirm(
                &signed_answer("You are about to sign:", root, signed, json!({})).text,
                "--digest sha256:DIGEST",
            ),
        }
    };
    let (signed, root) = SignedRoot::cosign_file(permissions.at(&options.root), &key, review)?;
    let first = format!("added the signature of {key_id}; you signed:");
    Ok(signed_answer(
        &first,
        &root,
        &signed,
        json!({ "key_id": key_id }),
    ))
}

fn verify(options: &RootVerify, permissions: &PermissionPolicy) -> Result<Answer> {
    let signed = SignedRoot::read_file(permissions.at(&options.root))?;
    let verified = match &options.from {
        None => signed.verify_self_signed()?,
        Some(from) => SignedRoot::read_file(permissions.at(from))?
            .verify_self_signed()?
            .follow(signed)?,
    };
    verified.check_fresh(Timestamp::now())?;
    let (root, signed) = (verified.root(), verified.signed());
    let first = match &options.from {
        None => "verified: enough of its own keys signed it, whosever they are",
        Some(_) => "verified: enough of the old root's keys and of its own signed it",
    };
    Ok(signed_answer(
        first,
        root,
        signed,
        json!({ "verified": true }),
    ))
}

fn inspect(options: &RootInspect, permissions: &PermissionPolicy) -> Result<Answer> {
    let signed = SignedRoot::read_file(permissions.at(&options.root))?;
    let root = signed.unverified_root()?;
    let first = "NOT VERIFIED: this is what the root says of itself";
    Ok(signed_answer(
        first,
        &root,
        &signed,
        json!({ "verified": false }),
    ))
}

fn read_keys(paths: &[PathBuf], permissions: &PermissionPolicy) -> Result<Vec<PublicKey>> {
    paths
        .iter()
        .map(|path| PublicKey::read_file(permissions.at(path)))
        .collect()
}

fn draft_answer(root: &Root) -> Result<Answer> {
    Ok(Answer {
        text: format!("draft of a root, not signed\n{}", describe(root)),
        json: json!({ "root": document(root) }),
    })
}

fn signed_answer(first: &str, root: &Root, signed: &SignedRoot, more: Value) -> Answer {
    let signatures = signed.envelope().key_ids();
    let names: Vec<String> = signatures.iter().map(ToString::to_string).collect();
    let digest = signed.digest();
    let mut json = json!({
        "root": document(root),
        "root_digest": digest,
        "signature_key_ids": signatures,
    });
    if let (Some(all), Value::Object(more)) = (json.as_object_mut(), more) {
        all.extend(more);
    }
    Answer {
        text: format!(
            "{first}\n{}\nroot digest  {digest}\nsignatures   {}",
            describe(root),
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join("\n             ")
            }
        ),
        json,
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
    if !root.caps().is_empty() {
        lines.push(format!("all models   at most {}", root.caps()));
    }
    for delegation in root.delegations() {
        lines.push(delegation.to_string());
    }
    lines.join("\n")
}
