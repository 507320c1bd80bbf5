//! Signed model bundles: manifests, envelopes, keys, and rules of trust.
//!
//! A **bundle** is a directory with a WebAssembly component, its weights and its other files. One more file,
//! `ampoule.dsse.json`, names all of them:
//!
//! ```text
//! minilm/
//!   ampoule.dsse.json      the envelope: manifest + signatures
//!   component.wasm
//!   model.safetensors
//!   tokenizer.json
//! ```
//!
//! [`pack_directory`] makes one file of it, a tar archive with exactly one spelling, which is a bundle too.
//!
//! The **[`Manifest`]** names the publisher and the model, the files (path, exact size, SHA-256), and the resources
//! that one sandbox needs. It is strict JSON: unknown fields, repeated keys, numbers above 2^53 − 1 and a second
//! spelling of any compared value are refused.
//!
//! The **[`Envelope`]** carries the manifest's exact bytes and Ed25519 signatures over them (DSSE's
//! [pre-authentication encoding](pae)). The signed bytes are the parsed bytes: nothing is decoded twice, and nothing
//! is put into a canonical form first. The envelope's own bytes have one spelling too.
//!
//! A **[`PublicKey`]** is named by its [`KeyId`], which only helps to find it. Weak keys, for which anybody can forge
//! signatures, do not load, and signatures are verified strictly. Key files are those of OpenSSL.
//!
//! The **[`TrustStore`]** holds the rules of a host: a set of [`Delegation`]s. Each names some models (`acme/*`,
//! `acme/minilm`), the keys that count for them, the number of keys that have to sign, the time in which the rule
//! holds, and caps on the models. A valid signature by any other key counts for nothing. On disk the rules have two
//! forms with one meaning:
//!
//! * `trust.toml`, the operator's own, which a person can write and `ampoule trust` changes:
//!
//!   ```toml
//!   schema = 1
//!
//!   [caps]                                # on all models, whoever signed them; as below
//!   init_timeout = "30s"
//!
//!   [[delegations]]
//!   models = ["acme/*"]                   # or single models: "acme/minilm"
//!   threshold = 2                         # keys that have to sign, all different; left out: 1
//!   not_after = "2028-01-01T00:00:00Z"    # the rule's end, if it has one
//!
//!   [delegations.caps]                    # on these models; the host's limits hold too
//!   memory = "256MiB"                     # also: fuel, timeout, output, init_memory, init_fuel,
//!   timeout = "5s"                        # init_timeout, capabilities
//!
//!   [[delegations.keys]]
//!   id = "4f3c…"                          # checked against the key; may be left out
//!   not_before = "2027-01-01T00:00:00Z"   # each key may have a time of its own
//!   public_key = """
//!   -----BEGIN PUBLIC KEY-----
//!   …
//!   -----END PUBLIC KEY-----
//!   """
//!   ```
//!
//! * a **[`Root`]**, for fleets: the same delegations in JSON, with a name, a version, an end, and keys of its own,
//!   some of which have to sign it (DSSE, [`ROOT_PAYLOAD_TYPE`]). A [`VerifiedRoot`] is followed only by one of the
//!   next version that enough of its own keys **and** enough of the new root's keys have signed.
//!
//! A **[`RevocationList`]** takes trust back from single keys, bundles and components, without waiting for a next
//! release. It is a signed list in the trust directory, beside either form; only the newest version counts. In strict
//! mode nothing is trusted without a fresh list.
//!
//! A **[`ModelReference`]** (`acme/minilm@1.2`, `sha256:…`) names the model that a caller wants. Every other model is
//! refused, however well signed.
//!
//! **Verification** goes one way, and each stage's type is the only way into the next:
//!
//! ```text
//! Bundle::open             opens the directory or the packed file once, reads the envelope
//! Bundle::verify_manifest  signatures → manifest → rules, threshold, reference
//! VerifiedManifest         the manifest; nothing of the component or of another file was read
//! Bundle::verify           the same, then every file, once
//! VerifiedBundle           the manifest and the very bytes that were hashed
//! ```
//!
//! [`VerifiedBundle`] has no public constructor, so a function that takes one cannot be given an unsigned model.
//!
//! # Example
//!
//! A publisher signs a directory, and a host that knows the publisher verifies it:
//!
//! ```
//! use ampoule_signing::{
//!     Bundle, ManifestTemplate, SecretKey, Timestamp, TrustStore, Version, sign_directory,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let parent = tempfile::tempdir()?;
//! # let dir = parent.path().join("minilm");
//! # std::fs::create_dir(&dir)?;
//! # std::fs::write(dir.join("component.wasm"), b"a component")?;
//! # std::fs::write(dir.join("config.json"), b"{}")?;
//! // The publisher: a key, a manifest for the files in the directory, a signature.
//! let key = SecretKey::generate()?;
//! ManifestTemplate::new("acme", "minilm", Version::new(1, 0, 0), 1, &["text-embedding"])
//!     .fill(&dir, Timestamp::now())?
//!     .write_file(&dir)?;
//! sign_directory(&dir, &[&key])?;
//!
//! // The host: a key bound to a publisher, then all of the checks at once.
//! let mut trust = TrustStore::new();
//! trust.insert(key.public_key().clone(), ["acme"])?;
//! let bundle = Bundle::open(&dir)?.verify(&trust, Timestamp::now())?;
//! assert_eq!(bundle.manifest().name(), "minilm");
//! assert_eq!(&bundle.component()[..], b"a component");
//!
//! // One byte later.
//! std::fs::write(dir.join("config.json"), b"[]")?;
//! let refused = Bundle::open(&dir)?.verify(&trust, Timestamp::now()).unwrap_err();
//! assert_eq!(refused.code(), "file.digest");
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! There is one [`Error`] type. [`Error::code`] is stable and dotted. Its part before the dot names a family, by
//! which commands choose their exit status.
//!
//! # Modules
//!
//! The modules stand in one line, and each imports only from those to its left:
//!
//! ```text
//! values → files → keys → bundle → trust → sign
//! ```
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, reason = "a unit test fails by panicking")
)]

mod bundle;
mod files;
mod keys;
mod sign;
mod trust;
mod values;

pub use ampoule_units::{Budget, ByteSize, Fuel, ParseError, SandboxBudgets, parse_time, text};
pub use bundle::contract_version::ContractVersion;
pub use bundle::envelope::{
    ENVELOPE_FILE, Envelope, EnvelopeSignature, MAX_ENVELOPE_BYTES, MAX_SIGNATURES, pae,
};
pub use bundle::manifest::{CONTRACT, FileEntry, MAX_MANIFEST_BYTES, Manifest};
pub use bundle::model_pattern::ModelPattern;
pub use bundle::reference::ModelReference;
pub use bundle::source::FilesStamp;
pub use bundle::unverified::{Bundle, DEFAULT_MAX_BUNDLE_SIZE};
pub use files::clock::now;
pub use files::directory_stamp::DirectoryStamp;
pub use files::guarded_directory::{GuardedDirectory, GuardedLock};
pub use files::permission_policy::{Location, PermissionPolicy};
pub use files::private_directory::{PrivateDirectory, PrivateFile, PrivateLock};
pub use files::progress::Progress;
pub use files::turn::LOCK_PATIENCE;
pub use jiff::Timestamp;
pub use keys::key::{MAX_KEY_FILE_BYTES, PublicKey, SecretKey};
pub use keys::key_file::{read_private_text, read_trusted_text};
pub use semver::Version;
pub use sign::digest_list::{DigestList, digest_directory};
pub use sign::file_rules::{FileRules, LeftOut, MINISIGN_FILE};
#[cfg(feature = "minisign")]
pub use sign::minisign::minisign_directory;
pub use sign::pack::{pack_directory, pack_directory_by, unpack_file};
pub use sign::sign_directory::{
    cosign_directory, review_and_cosign, sign_directory, sign_directory_by,
};
pub use sign::template::{MANIFEST_FILE, ManifestTemplate};
pub use trust::caps::{Caps, InitCaps};
pub use trust::decision::TrustDecision;
pub use trust::delegation::{Delegation, TrustedKey};
pub use trust::document_file::{read_draft, update_draft, write_draft};
pub use trust::releases::{MAX_MODELS_OF_A_PUBLISHER, RELEASES_FILE, ReleaseState};
pub use trust::revocation_list::{RevocationList, SignedRevocations};
pub use trust::revocation_policy::{RevocationAuthority, RevocationMode};
pub use trust::role::Role;
pub use trust::root::{Root, SignedRoot, VerifiedRoot};
pub use trust::root_info::RootInfo;
pub use trust::seen_release::SeenRelease;
pub use trust::signed::{Document, MAX_DOCUMENT_BYTES, Signed};
pub use trust::store::{MAX_DELEGATIONS, MAX_PATTERNS, TrustStore};
pub use trust::trust_directory::{REVOCATIONS_FILE, ROOT_FILE, TRUST_FILE};
pub use trust::verified::{CheckedBundle, VerifiedBundle, VerifiedManifest};
pub use values::digest::{FileDigest, Sha256Digest, parse_digest};
pub use values::document_kind::{
    DocumentKind, PAYLOAD_TYPE, REVOCATIONS_PAYLOAD_TYPE, ROOT_PAYLOAD_TYPE,
};
pub use values::error::{Error, Result};
pub use values::key_id::KeyId;
pub use values::revoked::Revoked;
pub use values::trust_error::TrustError;
pub use values::validity::Validity;
