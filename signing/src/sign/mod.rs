//! The publisher's side: making a manifest, signing a directory, packing it.
//!
//! ```text
//! leftovers, file_rules   files of a directory that are published, and those that are left out
//! secrets                 refuses to publish private keys and passwords
//! template                ManifestTemplate: the manifest for the files of a directory
//! digest_list             the digests of a directory's files
//! sign_directory          signs and cosigns
//! pack                    packs and unpacks
//! minisign                signs for those who check with minisign (feature `minisign`)
//! ```

pub(crate) mod digest_list;
pub(crate) mod file_rules;
pub(crate) mod leftovers;
#[cfg(feature = "minisign")]
pub(crate) mod minisign;
pub(crate) mod pack;
pub(crate) mod secrets;
pub(crate) mod sign_directory;
pub(crate) mod template;
