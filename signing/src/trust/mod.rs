//! Trust in publishers: the rules, their two forms on disk, and bundles verified by them.
//!
//! ```text
//! caps, threshold, delegation   one rule: models, keys, number of signatures, time, caps
//! role                          who signs one kind of document
//! document                      the written form of rules, the same in both files
//! signed, document_file         a document that several people sign, in its envelope and in files
//! signers                       the known keys whose signatures in an envelope are valid
//! revocation_list               things that are trusted no more; revocation_list_json, the document
//! revocation_policy             whose lists a store obeys, and what happens without a fresh one
//! root_info, store              TrustStore: all rules, and which one decides about a model
//! toml_file                     trust.toml, the operator's own form
//! root, root_json               a fleet's signed root, and its succession
//! trust_directory               trust.toml or a root on disk, and a revocation list
//! directory_stamp               tells whether such a directory was changed
//! decision                      a store's decision about one model at one moment
//! verified                      VerifiedManifest and VerifiedBundle
//! seen_release, releases        the release of each model that was run; releases_file, the file
//! ```

pub(crate) mod caps;
pub(crate) mod decision;
pub(crate) mod delegation;
pub(crate) mod directory_stamp;
pub(crate) mod document;
pub(crate) mod document_file;
pub(crate) mod releases;
pub(crate) mod releases_file;
pub(crate) mod revocation_list;
pub(crate) mod revocation_list_json;
pub(crate) mod revocation_policy;
pub(crate) mod role;
pub(crate) mod root;
pub(crate) mod root_info;
pub(crate) mod root_json;
pub(crate) mod seen_release;
pub(crate) mod signed;
pub(crate) mod signers;
pub(crate) mod store;
pub(crate) mod threshold;
pub(crate) mod toml_file;
pub(crate) mod trust_directory;
pub(crate) mod verified;
