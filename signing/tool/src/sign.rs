//! `sign`.

use std::fmt::Write as _;

use ampoule_command_line::{Answer, about};
use ampoule_signing::{
    ENVELOPE_FILE, PermissionPolicy, Result, SecretKey, Sha256Digest, sign_directory_by,
};
use serde_json::json;

use crate::arguments::Sign;
use crate::keys::refuse_existing;
use crate::progress::Shown;

pub(crate) fn sign(options: &Sign, permissions: &PermissionPolicy) -> Result<Answer> {
    let rules = options.secrets.rules()?;
    let keys = keys(options, permissions)?;
    // Before the envelope: one whose only public key could not be written would be of no use, and
    // would have replaced one that was.
    if let (Some(path), [key]) = (&options.one_time_key, &keys[..]) {
        key.public_key().write_file(path).map_err(about(path))?;
    }
    let shown = Shown::begin("reading");
    let signed = sign_directory_by(
        permissions.at(&options.dir).with_progress(shown.progress()),
        &keys.iter().collect::<Vec<_>>(),
        &rules,
    );
    shown.end();
    let (manifest, envelope) = signed.inspect_err(|_| {
        if let Some(path) = &options.one_time_key {
            // It is ours, and speaks for no signature. That removing fails too changes nothing.
            let _ = std::fs::remove_file(path);
        }
    })?;
    let signers = envelope.key_ids();
    let digest = Sha256Digest::of(envelope.payload());
    let by: Vec<String> = signers.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "signed {} {} by {}: wrote {ENVELOPE_FILE}\nmanifest     {digest}\nsigned by    {}",
        manifest.name(),
        manifest.version(),
        manifest.publisher(),
        by.join("\n             ")
    );
    // Signed as the manifest says, but hardly meant.
    let leftovers = manifest.leftovers();
    for file in &leftovers {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\nlook again   {:?} ({}) is in the manifest, though `init` would leave it out",
            file.path, file.reason
        );
    }
    Ok(Answer {
        text,
        json: json!({
            "manifest_digest": digest,
            "signers": signers,
            "leftovers": leftovers,
        }),
    })
}

fn keys(options: &Sign, permissions: &PermissionPolicy) -> Result<Vec<SecretKey>> {
    if let Some(path) = &options.one_time_key {
        refuse_existing(path, "the public key file")?;
        // It is wiped from memory on drop, and was nowhere else.
        return Ok(vec![SecretKey::generate()?]);
    }
    options
        .keys
        .iter()
        .map(|path| options.password.open_key(path, permissions))
        .collect()
}
