//! What is done in the same way with a root and with a revocation list: draft, sign, cosign, next.

use std::path::{Path, PathBuf};

use ampoule_command_line::Answer;
use ampoule_signing::{
    Document, DocumentKind, Error, PermissionPolicy, PublicKey, Result, Signed, read_draft,
};
use serde_json::{Value, json};

use crate::confirm::confirm;
use crate::document_arguments::{CosignDocument, NextDraft, SignDraft};

/// How one kind of document is shown.
pub(crate) trait Shown: Document {
    /// The last part of the name of a signed one's file, and of its digest's field.
    const NAME: &'static str;

    /// For people: lines, without the last line's end.
    fn to_lines(&self) -> String;

    /// For programs.
    fn to_value(&self) -> Value;
}

/// Refuses to go on to the next version when this one was not signed as the draft has it.
pub(crate) fn check_signed<D: Shown>(
    options: &NextDraft,
    permissions: &PermissionPolicy,
) -> Result<()> {
    let (payload, draft) = read_draft::<D>(permissions.at(&options.draft))?;
    let version = draft.version();
    let signed = options
        .signed
        .clone()
        .unwrap_or_else(|| signed_path::<D>(&options.draft, version));
    let is_signed = Signed::<D>::read_file(permissions.at(&signed))
        .is_ok_and(|signed| signed.envelope().payload() == payload);
    if is_signed {
        return Ok(());
    }
    let why = match D::KIND {
        DocumentKind::Root => "hosts cannot leave a version out",
        _ => "hosts may have one that is called so already",
    };
    Err(Error::UsageArguments(format!(
        "version {version} was not signed as the draft has it, and {why}; sign it first, or name what \
         was signed with --signed"
    )))
}

/// Where `sign` puts what it signed of a draft.
fn signed_path<D: Shown>(draft: &Path, version: u64) -> PathBuf {
    draft.with_file_name(format!("{version}.{}.dsse.json", D::NAME))
}

pub(crate) fn sign<D: Shown>(
    options: &SignDraft,
    permissions: &PermissionPolicy,
) -> Result<Answer> {
    let (payload, document) = read_draft::<D>(permissions.at(&options.draft))?;
    check_signable(&document, options.allow_expired)?;
    let out = options
        .out
        .clone()
        .unwrap_or_else(|| signed_path::<D>(&options.draft, document.version()));
    crate::keys::refuse_existing(&out, "the file")?;
    let keys = options
        .keys
        .iter()
        .map(|path| options.password.open_key(path, permissions))
        .collect::<Result<Vec<_>>>()?;
    let signed = Signed::<D>::sign(payload, &keys.iter().collect::<Vec<_>>())?;
    signed.write_file(permissions.at(&out))?;
    let first = format!("signed, wrote {}", out.display());
    Ok(signed_answer(&first, &document, &signed, json!({})))
}

pub(crate) fn cosign<D: Shown>(
    options: &CosignDocument,
    permissions: &PermissionPolicy,
) -> Result<Answer> {
    let key = options.password.open_key(&options.key, permissions)?;
    let key_id = key.public_key().key_id();
    let review = |signed: &Signed<D>, document: &D| {
        check_signable(document, options.allow_expired)?;
        match options.digest {
            Some(digest) => signed.check_digest(digest),
            None => confirm(
                &signed_answer("You are about to sign:", document, signed, json!({})).text,
                "--digest sha256:DIGEST",
            ),
        }
    };
    let (signed, document) = Signed::<D>::cosign_file(permissions.at(&options.file), &key, review)?;
    Ok(signed_answer(
        &format!("added the signature of {key_id}; you signed:"),
        &document,
        &signed,
        json!({ "key_id": key_id }),
    ))
}

fn check_signable<D: Document>(document: &D, allow_expired: bool) -> Result<()> {
    if allow_expired {
        return Ok(());
    }
    document.check_signable(ampoule_signing::now()?)
}

/// Shows what a file holds, whoever signed it.
pub(crate) fn inspect<D: Shown>(path: &Path, permissions: &PermissionPolicy) -> Result<Answer> {
    let signed = Signed::<D>::read_file(permissions.at(path))?;
    let document = signed.unverified()?;
    Ok(signed_answer(
        &format!("NOT VERIFIED: this is what the {} says of itself", D::KIND),
        &document,
        &signed,
        json!({ "verified": false }),
    ))
}

pub(crate) fn read_keys(
    paths: &[PathBuf],
    permissions: &PermissionPolicy,
) -> Result<Vec<PublicKey>> {
    paths
        .iter()
        .map(|path| PublicKey::read_file(permissions.at(path)))
        .collect()
}

pub(crate) fn draft_answer<D: Shown>(draft: &D) -> Answer {
    Answer {
        text: format!("draft of a {}, not signed\n{}", D::KIND, draft.to_lines()),
        json: json!({ D::NAME: draft.to_value() }),
    }
}

pub(crate) fn signed_answer<D: Shown>(
    first: &str,
    document: &D,
    signed: &Signed<D>,
    more: Value,
) -> Answer {
    let signatures = signed.envelope().key_ids();
    let names: Vec<String> = signatures.iter().map(ToString::to_string).collect();
    let digest = signed.digest();
    let mut json = json!({
        D::NAME: document.to_value(),
        format!("{}_digest", D::NAME): digest,
        "signature_key_ids": signatures,
    });
    if let (Some(all), Value::Object(more)) = (json.as_object_mut(), more) {
        all.extend(more);
    }
    Answer {
        text: format!(
            "{first}\n{}\n{:<12} {digest}\nsignatures   {}",
            document.to_lines(),
            "digest",
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join("\n             ")
            }
        ),
        json,
    }
}
