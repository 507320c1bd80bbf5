//! Signed manifests, keys and trust for Ampoule model bundles.
#![forbid(unsafe_code)]

mod bundle;
mod digest;
mod directory;
mod envelope;
mod error;
mod exit_code;
mod json;
mod key;
mod manifest;
mod manifest_json;
mod names;
mod permissions;
mod trust;
mod trust_toml;
mod units;

pub use bundle::{Bundle, DEFAULT_MAX_BUNDLE_SIZE, ENVELOPE_FILE, VerifiedBundle};
pub use digest::{FileDigest, Sha256Digest};
pub use envelope::{Envelope, EnvelopeSignature, MAX_ENVELOPE_BYTES, MAX_SIGNATURES, pae};
pub use error::{Error, ParseError, Result};
pub use exit_code::exit_code_for;
pub use jiff::Timestamp;
pub use key::{KeyId, MAX_KEY_FILE_BYTES, PublicKey, SecretKey};
pub use manifest::{
    CONTRACT, FileEntry, InitLimits, MAX_MANIFEST_BYTES, Manifest, ManifestLimits, PAYLOAD_TYPE,
};
pub use trust::{TRUST_FILE, TrustStore, TrustedKey};
pub use units::{ByteSize, Fuel};
