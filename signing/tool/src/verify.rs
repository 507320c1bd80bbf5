//! `verify`.

use ampoule_command_line::{Answer, about};
use ampoule_signing::{Bundle, Error, PermissionPolicy, PublicKey, Result, TrustStore};
use serde_json::json;

use crate::arguments::Verify;
use crate::progress::Shown;

pub(crate) fn verify(options: &Verify, permissions: &PermissionPolicy) -> Result<Answer> {
    let shown = Shown::begin("reading");
    let location = permissions
        .at(&options.bundle)
        .with_progress(shown.progress());
    let bundle = Bundle::open(location)?;
    let trust = trust(options, permissions, &bundle)?;
    let bundle = match &options.expect {
        Some(expected) => bundle.with_expected(expected.clone()),
        None => bundle,
    };
    let verified = bundle.check(&trust, ampoule_signing::now()?)?;
    shown.end();
    let manifest = verified.manifest();
    let files = manifest.files().len() + 1;
    let signers: Vec<String> = verified.signers().iter().map(ToString::to_string).collect();
    Ok(Answer {
        text: format!(
            "verified     {} {} (release {}) by {}, {files} files\nmanifest     {}\nsigned by    {}",
            manifest.name(),
            manifest.version(),
            manifest.release(),
            manifest.publisher(),
            verified.manifest_digest(),
            signers.join("\n             ")
        ),
        json: json!({
            "verified": true,
            "publisher": manifest.publisher(),
            "name": manifest.name(),
            "version": manifest.version(),
            "release": manifest.release(),
            "manifest_digest": verified.manifest_digest(),
            "signers": verified.signers(),
            "files": files,
        }),
    })
}

fn trust(options: &Verify, permissions: &PermissionPolicy, bundle: &Bundle) -> Result<TrustStore> {
    let Some(path) = &options.public_key else {
        let dir = options.trust.as_deref().ok_or_else(|| {
            Error::UsageArguments("expected --trust DIR or --public-key FILE".to_owned())
        })?;
        return TrustStore::open(permissions.at(dir));
    };
    // Without a publisher the question is only whether this key signed, so the bundle's own word
    // will do. Where that cannot be read, verification fails before the publisher matters.
    let publisher = match &options.publisher {
        Some(publisher) => publisher.clone(),
        None => bundle.unverified_manifest().map_or_else(
            |_| "unread".to_owned(),
            |manifest| manifest.publisher().to_owned(),
        ),
    };
    let mut trust = TrustStore::new();
    let key = PublicKey::read_file(permissions.at(path)).map_err(about(path))?;
    trust.insert(key, [publisher])?;
    Ok(trust)
}
