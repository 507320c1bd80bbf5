//! Verifies a bundle: on disk, in one file, or in memory.
//!
//! The order matters. Signatures are verified over the exact payload bytes before those bytes are parsed. Identity
//! and expiry are checked before any file is read. Each file is read once, and the bytes that were hashed are the
//! bytes that are used.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::Timestamp;

use crate::bundle::envelope::Envelope;
use crate::bundle::manifest::Manifest;
use crate::bundle::reference::ModelReference;
use crate::bundle::source::{Files, Source, check_total};
use crate::bundle::unverified::Bundle;
use crate::trust::caps::Caps;
use crate::trust::decision::{Decider, Signers, TrustDecision};
use crate::trust::store::TrustStore;
use crate::values::digest::Sha256Digest;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::revoked::Revoked;
use crate::values::trust_error::TrustError;
use ampoule_units::ByteSize;

impl Bundle {
    /// Verifies everything and reads every file.
    ///
    /// # Errors
    ///
    /// In this order: `trust.root-expired`, `trust.revocations-missing`, `trust.revocations-expired` for
    /// the trust itself; `signature.missing`, `signature.invalid`, `trust.unknown-key`, `trust.revoked`
    /// for the signatures; `manifest.*` for the payload; `trust.publisher`, `trust.model`,
    /// `trust.validity`, `trust.threshold`, `trust.revoked`, `trust.identity`, `trust.expired` for what it
    /// says; `file.*`, `trust.owner`, `trust.permissions` for the files; `trust.revoked` for the component.
    pub fn verify(self, trust: &TrustStore, now: Timestamp) -> Result<VerifiedBundle> {
        let mut bundle = self.verify_component(trust, now)?;
        bundle.read_files()?;
        Ok(bundle)
    }

    /// Verifies everything that is signed, and reads the component, but no other file. A host with limits of its own
    /// uses [`Bundle::verify_manifest`], and compares them with the sizes in the manifest before the component is read.
    ///
    /// # Errors
    ///
    /// As [`Bundle::verify`].
    pub fn verify_component(self, trust: &TrustStore, now: Timestamp) -> Result<VerifiedBundle> {
        self.verify_manifest(trust, now)?.read_component(trust)
    }

    /// Verifies everything and reads every file piece by piece, the component too, and keeps none. This works for a
    /// bundle of any size in little memory.
    ///
    /// # Errors
    ///
    /// As [`Bundle::verify`].
    pub fn check(self, trust: &TrustStore, now: Timestamp) -> Result<CheckedBundle> {
        let VerifiedManifest {
            signed,
            decision,
            unread,
        } = self.verify_manifest(trust, now)?;
        let manifest = &signed.manifest;
        unread.source.check(manifest, manifest.all_files())?;
        if trust.revocation().revokes_components() {
            let digest = unread.source.component_digest(manifest)?;
            trust.revocation().check(Revoked::Component(digest))?;
        }
        Ok(CheckedBundle { signed, decision })
    }

    /// Verifies everything that is signed, and reads no file. A host with limits of its own compares them with the
    /// sizes in the manifest before any byte is read.
    ///
    /// # Errors
    ///
    /// As [`Bundle::verify`], but for those of the files; `file.too-large` is among them.
    pub fn verify_manifest(self, trust: &TrustStore, now: Timestamp) -> Result<VerifiedManifest> {
        let decider = Decider::at(trust, now)?;
        let signers = decider.signers(&self.envelope)?;
        let signed = SignedManifest {
            manifest: Manifest::parse(self.envelope.payload())?,
            digest: Sha256Digest::of(self.envelope.payload()),
            expected: self.expected,
            envelope: self.envelope,
        };
        let decision = signed.decide(&decider, signers, now)?;
        check_total(signed.manifest.all_files(), self.max_size)?;
        Ok(VerifiedManifest {
            signed,
            decision,
            unread: Unread {
                source: self.source,
                max_size: self.max_size,
            },
        })
    }
}

/// A bundle whose signatures were verified: somebody who is trusted has signed the manifest. No file was read.
///
/// Only [`Bundle::verify_manifest`] makes one.
#[derive(Debug)]
pub struct VerifiedManifest {
    signed: SignedManifest,
    decision: TrustDecision,
    unread: Unread,
}

impl VerifiedManifest {
    /// The signed manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.signed.manifest
    }

    /// The digest of the manifest's exact bytes. It names the bundle with all its files.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        self.signed.digest
    }

    /// Returns the trust's decision on the manifest.
    #[must_use]
    pub fn decision(&self) -> &TrustDecision {
        &self.decision
    }

    /// Caps that the trust in the model sets on its manifest. The host compares the two.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        self.decision.caps()
    }

    /// Reads the component and verifies it. `trust` is the store that the manifest was verified by; it decides
    /// whether the component is revoked. The other files are left unread.
    ///
    /// # Errors
    ///
    /// `file.*`, `trust.owner`, `trust.permissions`, `io.failed`; `trust.revoked`.
    pub fn read_component(self, trust: &TrustStore) -> Result<VerifiedBundle> {
        let Self {
            signed,
            decision,
            unread,
        } = self;
        let manifest = &signed.manifest;
        let component = manifest.component();
        let component = unread
            .source
            .read(manifest, std::iter::once(component), unread.max_size)?
            .remove(component.path())
            .ok_or(Error::Internal("the component"))?;
        let bundle = VerifiedBundle {
            signed,
            decision,
            component,
            component_digest: OnceLock::new(),
            files: Files::new(),
            unread: Some(Arc::new(unread)),
        };
        bundle.check_component(trust)?;
        Ok(bundle)
    }
}

/// The manifest and the trust's decision of a bundle that [`Bundle::check`] found in order, without its files.
#[derive(Clone, Debug)]
pub struct CheckedBundle {
    signed: SignedManifest,
    decision: TrustDecision,
}

impl CheckedBundle {
    /// The signed manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.signed.manifest
    }

    /// The digest of the manifest's exact bytes. It names the bundle with all its files.
    #[must_use]
    pub fn manifest_digest(&self) -> Sha256Digest {
        self.signed.digest
    }

    /// The keys whose signatures counted, each once: at least as many as the rule asks for.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        self.decision.signers()
    }
}

/// The manifest and its envelope: everything that trust decides by.
#[derive(Clone, Debug)]
struct SignedManifest {
    manifest: Manifest,
    digest: Sha256Digest,
    expected: Option<ModelReference>,
    envelope: Envelope,
}

impl SignedManifest {
    fn decide(
        &self,
        decider: &Decider<'_>,
        signers: Signers,
        now: Timestamp,
    ) -> Result<TrustDecision> {
        let manifest = &self.manifest;
        let decision = decider.decide(manifest, self.digest, signers)?;
        if let Some(expected) = &self.expected {
            expected.check(manifest, self.digest)?;
        }
        let not_after = manifest.not_after();
        if let Some(not_after) = not_after.filter(|not_after| *not_after < now) {
            return Err(Error::Trust(TrustError::Expired { not_after, now }));
        }
        Ok(decision.until(not_after))
    }
}

/// A bundle whose signatures, manifest and files were verified, with the bytes that were verified.
///
/// Only [`Bundle::verify`], [`Bundle::verify_component`] and [`VerifiedManifest::read_component`] make one, so
/// code that takes it cannot be given an unverified model.
#[derive(Clone, Debug)]
pub struct VerifiedBundle {
    signed: SignedManifest,
    decision: TrustDecision,
    component: Bytes,
    /// Digest of the whole component. A manifest need not have it, and it is seldom needed.
    component_digest: OnceLock<Sha256Digest>,
    files: Files,
    unread: Option<Arc<Unread>>,
}

/// The place of files that have not been read.
#[derive(Debug)]
struct Unread {
    source: Source,
    max_size: ByteSize,
}

impl VerifiedBundle {
    /// Reads and verifies the files, unless that was done. Afterwards no file or directory of the bundle is held
    /// open.
    ///
    /// # Errors
    ///
    /// `file.*`, `trust.owner`, `trust.permissions`, `io.failed`.
    pub fn read_files(&mut self) -> Result<()> {
        let Some(unread) = &self.unread else {
            return Ok(());
        };
        let manifest = &self.signed.manifest;
        let files = manifest.files().iter();
        self.files = unread.source.read(manifest, files, unread.max_size)?;
        self.unread = None;
        Ok(())
    }

    /// Reads and verifies the files, unless that was done, and keeps none of them: for checking a bundle of any size.
    ///
    /// # Errors
    ///
    /// As [`VerifiedBundle::read_files`].
    pub fn check_files(&self) -> Result<()> {
        match &self.unread {
            Some(unread) => {
                let manifest = &self.signed.manifest;
                unread.source.check(manifest, manifest.files().iter())
            }
            None => Ok(()),
        }
    }

    /// Forgets the files and their place. The manifest and the envelope, by which trust decides, stay.
    pub fn forget_files(&mut self) {
        self.files = Files::new();
        self.unread = None;
    }

    /// Decides again, as [`Bundle::verify`] did: at a later time, or by a store that has changed. The files were
    /// verified and are in memory, so they are not read.
    ///
    /// # Errors
    ///
    /// As [`Bundle::verify`], but for `manifest.*`, `file.*` and `trust.permissions`.
    pub fn verify_again(&self, trust: &TrustStore, now: Timestamp) -> Result<TrustDecision> {
        let decider = Decider::at(trust, now)?;
        let signers = decider.signers(&self.signed.envelope)?;
        let decision = self.signed.decide(&decider, signers, now)?;
        self.check_component(trust)?;
        Ok(decision)
    }

    fn check_component(&self, trust: &TrustStore) -> Result<()> {
        if !trust.revocation().revokes_components() {
            return Ok(());
        }
        let digest = self
            .component_digest
            .get_or_init(|| Sha256Digest::of(&self.component));
        trust.revocation().check(Revoked::Component(*digest))
    }

    /// The decision of the trust when the bundle was verified.
    #[must_use]
    pub fn decision(&self) -> &TrustDecision {
        &self.decision
    }

    /// The envelope: the signed bytes, and the signatures.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.signed.envelope
    }

    /// The signed manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.signed.manifest
    }

    /// The digest of the manifest's exact bytes. It names the bundle with all its files.
    #[must_use]
    pub fn manifest_digest(&self) -> Sha256Digest {
        self.signed.digest
    }

    /// The keys whose signatures counted, each once: at least as many as the rule asks for.
    #[must_use]
    pub fn signers(&self) -> &[KeyId] {
        self.decision.signers()
    }

    /// Caps that the trust in the model sets on its manifest. The host compares the two.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        self.decision.caps()
    }

    /// The WebAssembly component.
    #[must_use]
    pub fn component(&self) -> &Bytes {
        &self.component
    }

    /// The assets by name, in the manifest's order, if they were read ([`VerifiedBundle::read_files`]). The component
    /// is not among them.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.manifest()
            .files()
            .iter()
            .filter_map(|file| Some((file.path(), self.file(file.path())?)))
    }

    /// An asset by its name, spelled as in the manifest, if it was read.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&Bytes> {
        if name == self.manifest().component().path() {
            return None;
        }
        self.files.get(name)
    }
}
