//! `cosign`.

use ampoule_signing::{ENVELOPE_FILE, KeyId, Result, SecretKey, Sha256Digest, cosign_directory};
use serde_json::json;

use crate::arguments::Cosign;
use crate::inspect::describe;
use crate::output::Answer;

pub(crate) fn cosign(options: &Cosign) -> Result<Answer> {
    let key = SecretKey::read_file(&options.key, || options.password.get())?;
    let (manifest, envelope) = cosign_directory(&options.dir, &[&key])?;
    let signers: Vec<KeyId> = envelope
        .signatures()
        .iter()
        .map(|one| one.key_id())
        .collect();
    let digest = Sha256Digest::of(envelope.payload());
    let key_id = key.public_key().key_id();
    let mut text = format!(
        "added the signature of {key_id} to {ENVELOPE_FILE}, which names {} keys now; you signed:\n\
         manifest     {digest}\n",
        signers.len()
    );
    describe(&mut text, &manifest);
    Ok(Answer {
        text: text.trim_end().to_owned(),
        json: json!({
            "key_id": key_id,
            "manifest": manifest,
            "manifest_digest": digest,
            "signature_key_ids": signers,
        }),
    })
}
