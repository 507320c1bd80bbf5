//! Commands that are the same for a root and for a revocation list: draft, sign, cosign, next.

use std::path::{Path, PathBuf};

use ampoule_command_line::{Answer, about};
use ampoule_signing::{
    Document, DocumentKind, Error, PermissionPolicy, PublicKey, Result, Signed, read_draft,
};
use serde_json::{Value, json};

use crate::confirm::confirm;
use crate::document_arguments::{CosignDocument, NextDraft, SignDraft};

/// The form in which one kind of document is shown.
pub(crate) trait Shown: Document {
    /// The last part of the name of a signed one's file, and of its digest's field.
    const NAME: &'static str;

    /// Lists the document in lines for people, without the last line's end.
    fn to_lines(&self) -> String;

    /// Returns the document for programs.
    fn to_value(&self) -> Value;
}

/// Refuses the next version while the draft's present version is not signed.
pub(crate) fn check_signed<D: Shown>(
    options: &NextDraft,
    permissions: &PermissionPolicy,
) -> Result<()> {
    let (payload, draft) =
        read_draft::<D>(permissions.at(&options.draft)).map_err(about(&options.draft))?;
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
        DocumentKind::Root => "hosts cannot skip a version",
        _ => "hosts may have another list of that version",
    };
    Err(Error::UsageArguments(format!(
        "version {version} of the draft was not signed as it is now, and {why}; sign it first, or name the signed \
         file with --signed"
    )))
}

/// Returns the path that `sign` writes the signed draft to.
fn signed_path<D: Shown>(draft: &Path, version: u64) -> PathBuf {
    draft.with_file_name(format!("{version}.{}.dsse.json", D::NAME))
}

pub(crate) fn sign<D: Shown>(
    options: &SignDraft,
    permissions: &PermissionPolicy,
) -> Result<Answer> {
    let (payload, document) =
        read_draft::<D>(permissions.at(&options.draft)).map_err(about(&options.draft))?;
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
    signed
        .write_file(permissions.at(&out))
        .map_err(about(&out))?;
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

/// Shows the document in a file, whoever signed it.
pub(crate) fn inspect<D: Shown>(path: &Path, permissions: &PermissionPolicy) -> Result<Answer> {
    let signed = Signed::<D>::read_file(permissions.at(path)).map_err(about(path))?;
    let document = signed.unverified()?;
    Ok(signed_answer(
        &format!("NOT VERIFIED: the {} as it describes itself", D::KIND),
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
        .map(|path| PublicKey::read_file(permissions.at(path)).map_err(about(path)))
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
