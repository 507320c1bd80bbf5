//! Whom a host trusts to sign which models: the rules, and their two forms on disk.
//!
//! ```text
//! delegation   one rule: models, keys, threshold, time, caps
//! store        all rules, and which one decides about a model
//! document     the written form of rules, the same in both files
//! toml_file    trust.toml, the operator's own       root, role     a fleet's signed root, its succession
//!                                                    root_json      its document
//!                                                    root_file      drafts and signed roots in files
//! directory    the trust directory, which holds the one or the other
//! ```

#[cfg(feature = "clap")]
mod cap_options;
mod caps;
mod delegation;
#[cfg(feature = "clap")]
mod delegation_options;
mod directory;
mod document;
mod error;
mod model_pattern;
mod releases;
mod role;
mod root;
mod root_file;
mod root_json;
mod store;
mod toml_file;
mod validity;

#[cfg(feature = "clap")]
pub use cap_options::CapOptions;
pub use caps::{Caps, InitCaps};
pub use delegation::{Delegation, TrustedKey};
#[cfg(feature = "clap")]
pub use delegation_options::DelegationOptions;
pub use directory::{ROOT_FILE, TRUST_FILE};
pub use error::TrustError;
pub use model_pattern::ModelPattern;
pub use releases::{RELEASES_FILE, ReleaseState, SeenRelease};
pub use role::Role;
pub use root::{ROOT_PAYLOAD_TYPE, Root, SignedRoot, VerifiedRoot};
pub use root_json::MAX_ROOT_BYTES;
pub use store::{MAX_DELEGATIONS, MAX_PATTERNS, RootInfo, TrustStore};
pub use validity::Validity;
