//! Whom a host trusts to sign which models: the rules, and their two forms on disk.
//!
//! ```text
//! delegation          one rule: models, keys, threshold, time, caps
//! store               all rules, and which one decides about a model
//! document            the written form of rules, the same in both files
//! toml_file           trust.toml, the operator's own
//! signed              a document that several people sign, in its envelope
//! document_file       drafts and signed documents in files
//! role                who signs one kind of them
//! root                a fleet's signed root, and its succession; root_json, its document
//! revocation_list     what is trusted no more; revocation_list_json, its document
//! revocation_policy   whose lists a store obeys, and what it does without a fresh one
//! directory           the trust directory: trust.toml or a root, and a revocation list
//! directory_stamp     whether it was changed
//! decision            what a store says about one model at one moment
//! releases            which release of each model was run; releases_file, the file
//! ```

#[cfg(feature = "clap")]
mod cap_options;
mod caps;
mod decision;
mod delegation;
#[cfg(feature = "clap")]
mod delegation_options;
mod directory;
mod directory_stamp;
mod document;
mod document_file;
mod error;
mod model_pattern;
mod releases;
mod releases_file;
mod revocation_list;
mod revocation_list_json;
mod revocation_policy;
mod role;
mod root;
mod root_json;
mod signed;
mod store;
mod toml_file;
mod validity;

#[cfg(feature = "clap")]
pub use cap_options::CapOptions;
pub use caps::{Caps, InitCaps};
pub(crate) use decision::Signers;
pub use decision::TrustDecision;
pub use delegation::{Delegation, TrustedKey};
#[cfg(feature = "clap")]
pub use delegation_options::DelegationOptions;
pub use directory::{REVOCATIONS_FILE, ROOT_FILE, TRUST_FILE};
pub use directory_stamp::DirectoryStamp;
pub use document_file::{read_draft, update_draft, write_draft};
pub use error::TrustError;
pub use model_pattern::ModelPattern;
pub use releases::{MAX_MODELS_OF_A_PUBLISHER, RELEASES_FILE, ReleaseState, SeenRelease};
pub use revocation_list::{REVOCATIONS_PAYLOAD_TYPE, RevocationList, Revoked, SignedRevocations};
pub use revocation_policy::{RevocationAuthority, RevocationMode};
pub use role::Role;
pub use root::{ROOT_PAYLOAD_TYPE, Root, SignedRoot, VerifiedRoot};
pub use signed::{Document, MAX_DOCUMENT_BYTES, Signed};
pub use store::{MAX_DELEGATIONS, MAX_PATTERNS, RootInfo, TrustStore};
pub use validity::Validity;
