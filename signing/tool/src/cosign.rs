//! `cosign`.

use ampoule_command_line::Answer;
use ampoule_signing::{
    ENVELOPE_FILE, Manifest, PermissionPolicy, Result, Sha256Digest, review_and_cosign,
};
use serde_json::json;

use crate::arguments::Cosign;
use crate::confirm::confirm;
use crate::inspect::describe;
use crate::progress::Shown;

pub(crate) fn cosign(options: &Cosign, permissions: &PermissionPolicy) -> Result<Answer> {
    let key = options.password.open_key(&options.key, permissions)?;
    let reading = Shown::begin("reading");
    let review = |manifest: &Manifest, digest| {
        reading.end();
        match &options.expect {
            Some(expected) => expected.check(manifest, digest),
            None => confirm(
                &format!("You are about to sign:\n{}", shown(manifest, digest)),
                "--expect, such as --expect acme/minilm@sha256:DIGEST",
            ),
        }
    };
    let location = permissions
        .at(&options.dir)
        .with_progress(reading.progress());
    let (manifest, envelope) = review_and_cosign(location, &[&key], review)?;
    let signers = envelope.key_ids();
    let digest = Sha256Digest::of(envelope.payload());
    let key_id = key.public_key().key_id();
    Ok(Answer {
        text: format!(
            "added the signature of {key_id} to {ENVELOPE_FILE}, which names {} keys now; you signed:\n{}",
            signers.len(),
            shown(&manifest, digest)
        ),
        json: json!({
            "key_id": key_id,
            "manifest": manifest,
            "manifest_digest": digest,
            "signature_key_ids": signers,
        }),
    })
}

fn shown(manifest: &Manifest, digest: Sha256Digest) -> String {
    let mut text = format!("manifest     {digest}\n");
    describe(&mut text, manifest);
    text.trim_end().to_owned()
}
