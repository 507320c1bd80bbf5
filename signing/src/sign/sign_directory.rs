//! Signing and cosigning a directory: the publisher's side of [`Bundle`].
//!
//! [`Bundle`]: crate::Bundle

use std::io;

use crate::bundle::unverified::DEFAULT_MAX_BUNDLE_SIZE;

use crate::bundle::envelope::ENVELOPE_FILE;
use crate::bundle::envelope::Envelope;
use crate::bundle::manifest::Manifest;
use crate::bundle::source::{Opener, check_directory, open_directory, read_envelope};
use crate::files::directory::Directory;
use crate::files::permission_policy::Location;
use crate::keys::key::SecretKey;
use crate::sign::file_rules::FileRules;
use crate::sign::secrets;
use crate::sign::template::{MANIFEST_FILE, read_manifest_file};
use crate::values::digest::Sha256Digest;
use crate::values::document_kind::DocumentKind;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;

/// Signs the manifest in `dir` with each of `keys` and puts the envelope beside it, atomically.
///
/// The bytes of [`MANIFEST_FILE`] become the payload as they are. The manifest is parsed, and every file is read and
/// compared with it first, so that a host will accept the result. An existing envelope is replaced, unless others'
/// signatures over the same manifest would be lost. The manifest stays in the directory: it is the publisher's own,
/// the start of the next release, and no host reads it.
///
/// # Errors
///
/// `usage.arguments` without a key, `usage.secret` when the manifest names what looks like a secret,
/// `usage.others-signed`, `manifest.*`, `file.*`, `trust.owner`,
/// `trust.permissions`, `io.failed`. The directory is then as it was.
pub fn sign_directory<'p>(
    dir: impl Into<Location<'p>>,
    keys: &[&SecretKey],
) -> Result<(Manifest, Envelope)> {
    sign_directory_by(dir, keys, &FileRules::default())
}

/// Signs as [`sign_directory`] does, by rules. Only those for secrets count: the manifest names the files.
///
/// # Errors
///
/// As [`sign_directory`].
pub fn sign_directory_by<'p>(
    dir: impl Into<Location<'p>>,
    keys: &[&SecretKey],
    rules: &FileRules,
) -> Result<(Manifest, Envelope)> {
    check_keys(keys)?;
    let directory = open_directory(&dir.into())?;
    let payload = read_manifest_file(&directory)?;
    let manifest = Manifest::parse(&payload)?;
    secrets::refuse(manifest.all_files(), &Opener::Directory(&directory), rules)?;
    check_files(&directory, &manifest)?;
    let envelope = Envelope::sign(payload, keys)?;
    let _lock = lock(&directory)?;
    check_others(&directory, &envelope)?;
    write_envelope(&directory, &envelope)?;
    Ok((manifest, envelope))
}

/// Refuses to lose others' signatures over the same manifest.
fn check_others(directory: &Directory, new: &Envelope) -> Result<()> {
    // What is no envelope holds no signature worth keeping.
    let Ok(old) = read_envelope(directory) else {
        return Ok(());
    };
    if old.payload() != new.payload() {
        return Ok(());
    }
    let is_in = |id| new.signatures().iter().any(|one| one.key_id() == id);
    let others: Vec<KeyId> = old
        .signatures()
        .iter()
        .map(|one| one.key_id())
        .filter(|id| !is_in(*id))
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(Error::UsageOthersSigned { others })
}

/// Adds the signature of each of `keys` to the envelope in `dir`, without asking anybody:
/// [`review_and_cosign`].
///
/// # Errors
///
/// As [`review_and_cosign`].
pub fn cosign_directory<'p>(
    dir: impl Into<Location<'p>>,
    keys: &[&SecretKey],
) -> Result<(Manifest, Envelope)> {
    review_and_cosign(dir, keys, |_, _| Ok(()))
}

/// Adds the signature of each of `keys` to the envelope in `dir`, and replaces the envelope atomically, unless
/// `review` refuses.
///
/// The envelope's manifest is parsed, and every file is read and compared with it first, as by [`sign_directory`];
/// `manifest.json` is not looked at. `review` gets that manifest and the digest of its exact bytes, and those bytes
/// are signed. The other signatures stay as they are, valid or not, those that were added meanwhile too.
///
/// # Errors
///
/// `usage.arguments` without a key, the error of `review`, `usage.changed` when the manifest was
/// changed during the review, `usage.signed` for a key that has signed already, `envelope.*`,
/// `manifest.*`, `file.*`, `trust.owner`, `trust.permissions`, `io.failed`. The directory is then as it was.
pub fn review_and_cosign<'p>(
    dir: impl Into<Location<'p>>,
    keys: &[&SecretKey],
    review: impl FnOnce(&Manifest, Sha256Digest) -> Result<()>,
) -> Result<(Manifest, Envelope)> {
    check_keys(keys)?;
    let directory = open_directory(&dir.into())?;
    let reviewed = read_envelope(&directory)?;
    let manifest = Manifest::parse(reviewed.payload())?;
    check_files(&directory, &manifest)?;
    review(&manifest, Sha256Digest::of(reviewed.payload()))?;
    // A person may take their time, and others need not wait for them.
    let _lock = lock(&directory)?;
    let mut envelope = read_envelope(&directory)?;
    if envelope.payload() != reviewed.payload() {
        return Err(Error::UsageChanged {
            document: DocumentKind::Bundle,
        });
    }
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
    /// `io.exists` when there is one already, `trust.owner`, `trust.permissions`, `io.failed`.
    pub fn write_file<'p>(&self, dir: impl Into<Location<'p>>) -> Result<()> {
        open_directory(&dir.into())?
            .create(MANIFEST_FILE, self.to_json()?.as_bytes())
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => Error::IoExists {
                    what: MANIFEST_FILE.into(),
                },
                _ => Error::io("write the manifest")(error),
            })
    }
}

/// Reads every file as a host would, up to a host's own maximum.
fn check_files(directory: &Directory, manifest: &Manifest) -> Result<()> {
    check_directory(directory, manifest, DEFAULT_MAX_BUNDLE_SIZE)
}

fn lock(directory: &Directory) -> Result<std::fs::File> {
    directory.lock("the bundle directory")
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
