//! Signing and cosigning a directory: the publisher's side of [`Bundle`].
//!
//! [`Bundle`]: crate::Bundle

use std::io;
use std::path::Path;

use crate::bundle::{DEFAULT_MAX_BUNDLE_SIZE, ENVELOPE_FILE};
use crate::directory::Directory;
use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::key::SecretKey;
use crate::manifest::Manifest;
use crate::permissions::Rule;
use crate::source::{read_directory, read_envelope};
use crate::template::{MANIFEST_FILE, read_manifest_file};

/// Signs the manifest in `dir` with each of `keys` and puts the envelope beside it, atomically.
///
/// The bytes of [`MANIFEST_FILE`] become the payload as they are. The manifest is parsed and every
/// file is read and compared with it first, so that what is signed is what a host will accept. An
/// envelope that is there already is replaced. The manifest stays where it is: it is the publisher's
/// own, the start of the next release, and no host reads it.
///
/// # Errors
///
/// `usage.arguments` without a key, `manifest.*`, `file.*`, `trust.permissions`, `io.failed`. The
/// directory is then as it was.
pub fn sign_directory(dir: &Path, keys: &[&SecretKey]) -> Result<(Manifest, Envelope)> {
    check_keys(keys)?;
    let directory = open(dir)?;
    let payload = read_manifest_file(&directory)?;
    let manifest = Manifest::parse(&payload)?;
    check_files(&directory, &manifest)?;
    let envelope = Envelope::sign(payload, keys)?;
    write_envelope(&directory, &envelope)?;
    Ok((manifest, envelope))
}

/// Adds the signature of each of `keys` to the envelope in `dir`, and replaces it atomically.
///
/// What is signed is what the envelope holds: its manifest is parsed and every file is read and
/// compared with it first, as by [`sign_directory`]; `manifest.json` is not looked at. The other
/// signatures are kept as they are, valid or not.
///
/// # Errors
///
/// `usage.arguments` without a key, `usage.signed` for a key that has signed already, `envelope.*`,
/// `manifest.*`, `file.*`, `trust.permissions`, `io.failed`. The directory is then as it was.
pub fn cosign_directory(dir: &Path, keys: &[&SecretKey]) -> Result<(Manifest, Envelope)> {
    check_keys(keys)?;
    let directory = open(dir)?;
    let mut envelope = read_envelope(&directory)?;
    let manifest = Manifest::parse(envelope.payload())?;
    check_files(&directory, &manifest)?;
    for key in keys {
        envelope.cosign(key)?;
    }
    write_envelope(&directory, &envelope)?;
    Ok((manifest, envelope))
}

impl Manifest {
    /// Writes the manifest to [`MANIFEST_FILE`] in `dir`, for a person to edit and for
    /// [`sign_directory`] to sign.
    ///
    /// # Errors
    ///
    /// `io.exists` when there is one already, `io.failed`.
    pub fn write_file(&self, dir: &Path) -> Result<()> {
        open(dir)?
            .create(MANIFEST_FILE, self.to_json()?.as_bytes())
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Error::IoExists {
                    what: MANIFEST_FILE,
                },
                _ => Error::io("write the manifest")(error),
            })
    }
}

fn open(dir: &Path) -> Result<Directory> {
    let directory = Directory::open(dir).map_err(Error::io("open the bundle directory"))?;
    directory.check(Rule::NotWorldWritable, "the bundle directory")?;
    Ok(directory)
}

/// Reads every file as a host would. A host takes at most its own maximum; what no host reads need not
/// be signed.
fn check_files(directory: &Directory, manifest: &Manifest) -> Result<()> {
    read_directory(directory, manifest, DEFAULT_MAX_BUNDLE_SIZE).map(drop)
}

fn check_keys(keys: &[&SecretKey]) -> Result<()> {
    if keys.is_empty() {
        return Err(Error::UsageArguments(
            "expected at least one key to sign with".to_owned(),
        ));
    }
    Ok(())
}

fn write_envelope(directory: &Directory, envelope: &Envelope) -> Result<()> {
    directory
        .replace(ENVELOPE_FILE, &envelope.to_bytes()?, 0o644)
        .map_err(Error::io("write the envelope"))
}
