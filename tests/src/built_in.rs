//! The bundle that is built into `ampoule`, as the repository has it.

use ampoule::{Bundle, Host, TrustStore};
use ampoule_signing::PublicKey;

use crate::workspace_file;

/// The built-in bundle, and a host that trusts its key for this model and for nothing else.
#[must_use]
pub fn built_in() -> (Host, Bundle) {
    let folder = workspace_file("host/cli/builtin/tiny-vlm");
    let bundle = Bundle::open(&folder).unwrap();
    let key = std::fs::read_to_string(folder.join("publisher.pub.pem")).unwrap();
    let mut trust = TrustStore::new();
    trust
        .insert_model(PublicKey::from_pem(&key).unwrap(), "ampoule", "tiny-vlm")
        .unwrap();
    (Host::builder().trust(trust).build().unwrap(), bundle)
}
