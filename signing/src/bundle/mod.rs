//! The format of a bundle: envelope, manifest and files, in a directory, in one packed file or in memory.
//!
//! ```text
//! contract_version            a version of the contract between host and guest
//! manifest, manifest_json     the manifest, and reading one
//! envelope, names             the envelope; names that a manifest may hold
//! model_pattern, reference    names of models in rules and in requests
//! file_reader, archive        reads files and checks them; the packed form
//! source                      the three places that a bundle may be in
//! unverified                  Bundle: opened, and not to be believed yet
//! ```

pub(crate) mod archive;
pub(crate) mod contract_version;
pub(crate) mod envelope;
pub(crate) mod file_reader;
pub(crate) mod manifest;
pub(crate) mod manifest_json;
pub(crate) mod model_pattern;
pub(crate) mod names;
pub(crate) mod reference;
pub(crate) mod source;
pub(crate) mod unverified;
