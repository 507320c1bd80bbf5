//! The model that is part of this program, in the form of any other bundle.
//!
//! `cargo xtask bundle tiny-vlm` makes the files anew. They are trusted by a rule like an operator's: one key, for
//! one model of one publisher. The key signed this bundle and was never written down, so it can sign no other.

use ampoule::{Bundle, Manifest, PublicKey, Task, TrustStore};
use ampoule_signing::Envelope;

use crate::error::Error;

/// The publisher's name for this project's own models.
const PUBLISHER: &str = "ampoule";

/// The model's name, in its manifest and for callers of a server.
pub(crate) const NAME: &str = "tiny-vlm";

const ENVELOPE: &[u8] = include_bytes!("../builtin/tiny-vlm/ampoule.dsse.json");

const FILES: [(&str, &[u8]); 4] = [
    (
        "component.wasm",
        include_bytes!("../builtin/tiny-vlm/component.wasm"),
    ),
    (
        "config.json",
        include_bytes!("../builtin/tiny-vlm/config.json"),
    ),
    (
        "model.safetensors",
        include_bytes!("../builtin/tiny-vlm/model.safetensors"),
    ),
    (
        "tokenizer.json",
        include_bytes!("../builtin/tiny-vlm/tokenizer.json"),
    ),
];

const PUBLIC_KEY: &str = include_str!("../builtin/tiny-vlm/publisher.pub.pem");

/// Returns the bundle, unverified: each load verifies it, as any other.
pub(crate) fn bundle() -> Result<Bundle, Error> {
    Ok(Bundle::from_memory(ENVELOPE, FILES)?)
}

/// Returns the rules that trust the built-in bundle's key for that one model, and nothing else.
pub(crate) fn trust() -> Result<TrustStore, Error> {
    let mut trust = TrustStore::new();
    trust.insert_model(PublicKey::from_pem(PUBLIC_KEY)?, PUBLISHER, NAME)?;
    Ok(trust)
}

/// Returns true if its manifest declares `task`.
pub(crate) fn offers(task: Task) -> Result<bool, Error> {
    // The envelope alone: the files are megabytes.
    let manifest = Manifest::parse(Envelope::parse(ENVELOPE)?.payload())?;
    Ok(manifest.tasks().iter().any(|name| name == task.name()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use ampoule_signing::Timestamp;

    use super::*;

    #[test]
    fn the_built_in_bundle_is_verified_like_any_other() {
        let verified = bundle()
            .unwrap()
            .verify(&trust().unwrap(), Timestamp::now())
            .unwrap();
        let manifest = verified.manifest();
        assert_eq!((manifest.publisher(), manifest.name()), (PUBLISHER, NAME));
        assert_eq!(manifest.not_after(), None, "it does not stop one day");

        let error = bundle()
            .unwrap()
            .verify(&TrustStore::new(), Timestamp::now())
            .unwrap_err();
        assert_eq!(error.code(), "trust.unknown-key");
        for index in 0..FILES.len() {
            let mut files = FILES.map(|(name, bytes)| (name, bytes.to_vec()));
            files[index].1[100] ^= 1;
            let error = Bundle::from_memory(ENVELOPE, files)
                .unwrap()
                .verify(&trust().unwrap(), Timestamp::now())
                .unwrap_err();
            assert_eq!(error.code(), "file.digest", "{}", FILES[index].0);
        }
    }

    #[test]
    fn it_offers_the_tasks_of_its_manifest() {
        let manifest = bundle().unwrap().unverified_manifest().unwrap();
        for task in Task::ALL {
            let is_listed = manifest.tasks().iter().any(|name| name == task.name());
            assert_eq!(offers(task).unwrap(), is_listed, "{task}");
        }
        assert!(offers(Task::TextGeneration).unwrap());
        assert!(!offers(Task::TextEmbedding).unwrap());
    }

    #[test]
    fn its_key_is_trusted_for_that_model_and_nothing_else() {
        let trust = trust().unwrap();
        let [delegation] = trust.delegations() else {
            panic!("one delegation is expected");
        };
        let models: Vec<String> = delegation.models().map(ToString::to_string).collect();
        assert_eq!(models, [format!("{PUBLISHER}/{NAME}")]);
        let keys: Vec<_> = delegation.keys().collect();
        assert_eq!(keys.len(), 1);
        let id = keys[0].public_key().key_id();
        assert!(trust.may_sign(&id, PUBLISHER, NAME));
        assert!(!trust.may_sign(&id, PUBLISHER, "another"));
        assert!(!trust.may_sign(&id, "another", NAME));
    }
}
