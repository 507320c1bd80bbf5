//! The envelope: signatures around an uninterpreted payload.
//!
//! It is DSSE 1.0 (the Dead Simple Signing Envelope of in-toto and sigstore), stricter in one
//! point: where DSSE lets a consumer ignore unknown fields and white space, an envelope here must
//! be byte for byte its own canonical form. Nobody can then change a signed bundle's envelope
//! unnoticed, except for the order of its signatures and by leaving some out or adding others.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::bundle::manifest::MAX_MANIFEST_BYTES;
use crate::keys::key::SecretKey;
use crate::values::document_kind::DocumentKind;
use crate::values::error::{Error, Result};
use crate::values::json::why_malformed;
use crate::values::key_id::KeyId;
use ampoule_units::ByteSize;
use ampoule_units::text;

/// The name of the envelope in a bundle's directory.
pub const ENVELOPE_FILE: &str = "ampoule.dsse.json";

/// The most signatures that one envelope may carry. Each costs a verification, so there is an end.
pub const MAX_SIGNATURES: usize = 32;

/// The longest envelope: a manifest of full length in base64, and all the signatures.
pub const MAX_ENVELOPE_BYTES: u64 =
    (MAX_MANIFEST_BYTES as u64).div_ceil(3) * 4 + MAX_SIGNATURES as u64 * 256 + 256;

/// A payload and its signatures. Parsing verifies none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    document: DocumentKind,
    payload: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
}

/// One signature, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSignature {
    key_id: KeyId,
    signature: [u8; 64],
}

impl EnvelopeSignature {
    /// The key that the signature names.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The Ed25519 signature.
    #[must_use]
    pub fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

/// The envelope as JSON; the order of the fields is the canonical one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeJson {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<SignatureJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureJson {
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Reads an envelope.
    ///
    /// # Errors
    ///
    /// `envelope.too-large` over [`MAX_ENVELOPE_BYTES`]; `envelope.malformed` for everything that
    /// [`Envelope::to_bytes`] would not write just so; `envelope.payload-type` when it is not an
    /// Ampoule manifest that is signed.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Self::parse_as(bytes, DocumentKind::Bundle)
    }

    /// Reads an envelope around a document of this kind and of no other, so that a document that was signed as one
    /// kind is never taken for another.
    pub(crate) fn parse_as(bytes: &[u8], document: DocumentKind) -> Result<Self> {
        let found = bytes.len() as u64;
        if found > MAX_ENVELOPE_BYTES {
            return Err(Error::EnvelopeTooLarge {
                found: ByteSize::from_bytes(found),
                allowed: ByteSize::from_bytes(MAX_ENVELOPE_BYTES),
            });
        }
        let malformed = |reason| malformed(document, reason);
        let json: EnvelopeJson = serde_json::from_slice(bytes)
            .map_err(|error| malformed(why_malformed(bytes, &error)))?;
        if json.payload_type != document.payload_type() {
            return Err(Error::EnvelopePayloadType {
                found: text::name(&json.payload_type),
                expected: document.payload_type(),
            });
        }
        let payload = BASE64
            .decode(&json.payload)
            .map_err(|_| malformed("`payload` is not standard base64 with padding".to_owned()))?;
        if json.signatures.len() > MAX_SIGNATURES {
            return Err(malformed(format!(
                "expected at most {MAX_SIGNATURES} signatures, found {}",
                json.signatures.len()
            )));
        }
        let signatures = json
            .signatures
            .iter()
            .map(EnvelopeSignature::parse)
            .collect::<Result<Vec<_>, String>>()
            .map_err(malformed)?;
        let distinct: BTreeSet<KeyId> = signatures.iter().map(|one| one.key_id).collect();
        if distinct.len() != signatures.len() {
            return Err(malformed("two signatures have the same key id".to_owned()));
        }
        let envelope = Self {
            document,
            payload,
            signatures,
        };
        if envelope.to_bytes()? != bytes {
            return Err(malformed(
                "expected the fields payload, payloadType, signatures in this order, no white \
                 space and no escapes, found another spelling"
                    .to_owned(),
            ));
        }
        Ok(envelope)
    }

    /// Signs a manifest with each of these keys. With no keys the envelope is unsigned, which every
    /// host refuses.
    ///
    /// # Errors
    ///
    /// `envelope.malformed` for a key given twice or too many keys.
    pub fn sign(payload: Vec<u8>, keys: &[&SecretKey]) -> Result<Self> {
        Self::sign_as(DocumentKind::Bundle, payload, keys)
    }

    pub(crate) fn sign_as(
        document: DocumentKind,
        payload: Vec<u8>,
        keys: &[&SecretKey],
    ) -> Result<Self> {
        let mut envelope = Self {
            document,
            payload,
            signatures: Vec::new(),
        };
        let distinct: BTreeSet<KeyId> = keys.iter().map(|key| key.public_key().key_id()).collect();
        if distinct.len() != keys.len() {
            return Err(malformed(
                document,
                "expected different keys, found one twice".to_owned(),
            ));
        }
        for key in keys {
            envelope.cosign(key)?;
        }
        Ok(envelope)
    }

    /// Adds the signature of one more key. Whether the others are valid is not looked at.
    ///
    /// # Errors
    ///
    /// `usage.signed` for a key that has signed already, `envelope.malformed` for more than
    /// [`MAX_SIGNATURES`].
    pub fn cosign(&mut self, key: &SecretKey) -> Result<()> {
        let key_id = key.public_key().key_id();
        if self.signatures.iter().any(|one| one.key_id == key_id) {
            return Err(Error::UsageSigned { key_id });
        }
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(malformed(
                self.document,
                format!("expected at most {MAX_SIGNATURES} signatures"),
            ));
        }
        let signature = key.sign(&self.pae());
        self.signatures
            .push(EnvelopeSignature { key_id, signature });
        Ok(())
    }

    /// Returns the canonical form, which is the content of an envelope's file.
    ///
    /// # Errors
    ///
    /// `internal.encoding`, which would be a bug.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&EnvelopeJson {
            payload: BASE64.encode(&self.payload),
            payload_type: self.payload_type().to_owned(),
            signatures: self
                .signatures
                .iter()
                .map(|one| SignatureJson {
                    keyid: one.key_id.to_string(),
                    sig: BASE64.encode(one.signature),
                })
                .collect(),
        })
        .map_err(|_| Error::Internal("an envelope"))
    }

    /// Returns the bytes that are signed: [`pae`] of the payload's type and bytes.
    #[must_use]
    pub fn pae(&self) -> Vec<u8> {
        pae(self.payload_type(), &self.payload)
    }

    /// The payload's type.
    #[must_use]
    pub fn payload_type(&self) -> &str {
        self.document.payload_type()
    }

    /// The kind of document that the payload is.
    #[must_use]
    pub fn document(&self) -> DocumentKind {
        self.document
    }

    /// The signed bytes, which are the ones that are parsed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The signatures, unverified.
    #[must_use]
    pub fn signatures(&self) -> &[EnvelopeSignature] {
        &self.signatures
    }

    /// The keys that the signatures name, in their order.
    #[must_use]
    pub fn key_ids(&self) -> Vec<KeyId> {
        self.signatures
            .iter()
            .map(EnvelopeSignature::key_id)
            .collect()
    }
}

impl EnvelopeSignature {
    fn parse(json: &SignatureJson) -> Result<Self, String> {
        let key_id = json
            .keyid
            .parse()
            .map_err(|error| format!("`keyid`: {error}"))?;
        let signature = BASE64
            .decode(&json.sig)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or("`sig` is not 64 bytes in standard base64 with padding")?;
        Ok(Self { key_id, signature })
    }
}

fn malformed(document: DocumentKind, reason: String) -> Error {
    Error::EnvelopeMalformed { document, reason }
}

/// DSSE's pre-authentication encoding, the bytes that are signed:
/// `DSSEv1 LEN(type) type LEN(payload) payload`, with lengths in decimal and single spaces.
///
/// Source: the DSSE specification, `protocol.md`, section "Signature definition".
///
/// ```
/// assert_eq!(ampoule_signing::pae("http://x", b"hi"), b"DSSEv1 8 http://x 2 hi");
/// ```
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    )
    .into_bytes();
    message.extend_from_slice(payload);
    message
}
