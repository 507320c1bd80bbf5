//! A document in an envelope, which several people sign one after another: a root or a revocation list.

use std::marker::PhantomData;

use jiff::Timestamp;

use crate::bundle::envelope::Envelope;
use crate::bundle::manifest::MAX_MANIFEST_BYTES;
use crate::keys::key::SecretKey;
use crate::values::digest::Sha256Digest;
use crate::values::document_kind::DocumentKind;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::trust_error::TrustError;

/// The longest document, as long as the longest manifest: the same envelope holds either.
pub const MAX_DOCUMENT_BYTES: usize = MAX_MANIFEST_BYTES;

/// A document that several people sign: a [`Root`](crate::Root) or a [`RevocationList`](crate::RevocationList).
pub trait Document: sealed::Sealed + Sized {
    /// The kind of document.
    const KIND: DocumentKind;

    /// Parses and checks one.
    ///
    /// # Errors
    ///
    /// `trust.malformed`, `trust.schema`, `trust.malformed-key`, `trust.weak-key`.
    fn parse(bytes: &[u8]) -> Result<Self>;

    /// Writes the document as text that people read, edit and sign.
    ///
    /// # Errors
    ///
    /// `internal.encoding`, which would be a bug.
    fn to_json(&self) -> Result<String>;

    /// The version: each one's is higher than that of the one before it.
    fn version(&self) -> u64;

    /// The last moment at which hosts believe the document.
    fn expires(&self) -> Timestamp;

    /// Refuses a key whose signature can never count.
    ///
    /// # Errors
    ///
    /// `trust.malformed`.
    fn check_signer(&self, id: &KeyId) -> Result<()>;

    /// Refuses to sign a document that hosts would take and not believe.
    ///
    /// # Errors
    ///
    /// `usage.expired`.
    fn check_signable(&self, now: Timestamp) -> Result<()> {
        let expires = self.expires();
        if now <= expires {
            return Ok(());
        }
        Err(Error::UsageExpired {
            document: Self::KIND,
            expires,
            now,
        })
    }
}

pub(crate) mod sealed {
    /// Seals [`Document`](super::Document): each kind has a payload type of its own, which only this crate assigns.
    pub trait Sealed {}
}

/// A document in its envelope. Unverified: nothing in it may be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<D> {
    envelope: Envelope,
    document: PhantomData<D>,
}

impl<D: Document> Signed<D> {
    /// Reads the envelope of such a document, and of no other.
    ///
    /// # Errors
    ///
    /// `envelope.*`, as [`Envelope::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Envelope::parse_as(bytes, D::KIND).map(Self::around)
    }

    /// Signs a document as it was written, byte for byte.
    ///
    /// # Errors
    ///
    /// Those of [`Document::parse`] and [`Document::check_signer`], `usage.signed` for a key given twice.
    pub fn sign(payload: Vec<u8>, keys: &[&SecretKey]) -> Result<Self> {
        let document = D::parse(&payload)?;
        let mut signed = Self::around(Envelope::sign_as(D::KIND, payload, &[])?);
        for key in keys {
            signed.add_signature(&document, key)?;
        }
        Ok(signed)
    }

    fn around(envelope: Envelope) -> Self {
        Self {
            envelope,
            document: PhantomData,
        }
    }

    /// Adds a signature by one more key, and returns the document.
    ///
    /// # Errors
    ///
    /// As [`Signed::sign`], and `usage.signed` for a key that has signed already.
    pub fn cosign(&mut self, key: &SecretKey) -> Result<D> {
        let document = self.unverified()?;
        self.add_signature(&document, key)?;
        Ok(document)
    }

    fn add_signature(&mut self, document: &D, key: &SecretKey) -> Result<()> {
        document.check_signer(&key.public_key().key_id())?;
        self.envelope.cosign(key)
    }

    /// The envelope: the signed bytes and the signatures.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The digest of the document's exact bytes, which people compare.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.envelope.payload())
    }

    /// Refuses any document but the one with this digest.
    ///
    /// # Errors
    ///
    /// `trust.digest`.
    pub fn check_digest(&self, expected: Sha256Digest) -> Result<()> {
        match self.digest() {
            found if found == expected => Ok(()),
            found => Err(Error::Trust(TrustError::Digest {
                document: D::KIND,
                expected,
                found,
            })),
        }
    }

    /// Parses the document **without any check of signatures**: show it to a person, never act on it.
    ///
    /// # Errors
    ///
    /// Those of [`Document::parse`].
    pub fn unverified(&self) -> Result<D> {
        D::parse(self.envelope.payload())
    }
}
