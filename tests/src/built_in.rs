//! The bundle that is built into `ampoule`, as the repository has it.

use std::path::PathBuf;
use std::time::Duration;

use ampoule::{Bundle, Host, Limits, Model, TrustStore};
use ampoule_signing::PublicKey;
use serde_json::json;

use crate::{Publisher, block_on, host_with_limits, tiny_vlm, workspace_file};

/// Returns the folder of the bundle, beside the program that contains it.
#[must_use]
pub fn built_in_folder() -> PathBuf {
    workspace_file("host/cli/builtin/tiny-vlm")
}

/// Opens the built-in bundle, and reads the key that signed it.
pub(crate) fn built_in_bundle() -> (Bundle, PublicKey) {
    (Bundle::open(&built_in_folder()).unwrap(), built_in_key())
}

/// Reads the key that signed the built-in bundle.
pub(crate) fn built_in_key() -> PublicKey {
    let key = std::fs::read_to_string(built_in_folder().join("publisher.pub.pem")).unwrap();
    PublicKey::from_pem(&key).unwrap()
}

/// Opens the built-in bundle, and makes a host that trusts its key for this model and for nothing else.
#[must_use]
pub fn built_in() -> (Host, Bundle) {
    let (bundle, key) = built_in_bundle();
    let mut trust = TrustStore::new();
    trust.insert_model(key, "ampoule", "tiny-vlm").unwrap();
    (Host::builder().trust(trust).build().unwrap(), bundle)
}

/// Loads the built-in model with the component that was built from the source just now, and with `deadline` for
/// a request: for tests that must pass however busy the machine is. All other limits are those of the built-in
/// bundle.
#[must_use]
pub fn built_in_with_deadline(deadline: Duration) -> Model {
    let (_, bundle) = built_in();
    let manifest = bundle.unverified_manifest().unwrap();
    let publisher = Publisher::new("acme");
    let tasks: Vec<&str> = manifest.tasks().iter().map(String::as_str).collect();
    let mut builder = publisher
        .bundle(tiny_vlm())
        .tasks(&tasks)
        .set("/limits", json!(manifest)["limits"].clone())
        .set("/limits/deadline_ms", json!(deadline.as_millis()));
    for file in manifest.files() {
        let path = built_in_folder().join(file.path());
        builder = builder.file(file.path(), std::fs::read(path).unwrap());
    }
    let mut limits = Limits::default();
    limits.deadline = deadline;
    let host = host_with_limits(&publisher, limits);
    block_on(host.load(builder.write().path())).unwrap()
}
