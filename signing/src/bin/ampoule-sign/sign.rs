//! `sign`.

use ampoule_signing::{ENVELOPE_FILE, KeyId, Result, SecretKey, Sha256Digest, sign_directory};
use serde_json::json;

use crate::arguments::Sign;
use crate::output::Answer;

pub(crate) fn sign(options: &Sign) -> Result<Answer> {
    let keys = options
        .keys
        .iter()
        .map(|path| SecretKey::read_file(path, || options.password.get()))
        .collect::<Result<Vec<_>>>()?;
    let (manifest, envelope) = sign_directory(&options.dir, &keys.iter().collect::<Vec<_>>())?;
    let signers: Vec<KeyId> = envelope
        .signatures()
        .iter()
        .map(|one| one.key_id())
        .collect();
    let digest = Sha256Digest::of(envelope.payload());
    let by: Vec<String> = signers.iter().map(ToString::to_string).collect();
    Ok(Answer {
        text: format!(
            "signed {} {} by {}: wrote {ENVELOPE_FILE}\nmanifest     {digest}\nsigned by    {}",
            manifest.name(),
            manifest.version(),
            manifest.publisher(),
            by.join("\n             ")
        ),
        json: json!({ "manifest_digest": digest, "signers": signers }),
    })
}
