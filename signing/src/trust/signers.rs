//! Finds the known keys whose signatures in an envelope are valid.

use crate::bundle::envelope::Envelope;
use crate::keys::key::PublicKey;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;
use crate::values::trust_error::TrustError;

/// Returns the known keys that signed, each once. Signatures by strangers are skipped: others may sign too. An
/// invalid signature in the name of a known key refuses the whole envelope, since something was changed.
///
/// # Errors
///
/// `signature.missing`, `signature.invalid`, and `trust.unknown-key` when only strangers signed.
pub(crate) fn valid_signers<'k>(
    envelope: &Envelope,
    key: impl Fn(&KeyId) -> Option<&'k PublicKey>,
) -> Result<Vec<KeyId>> {
    if envelope.signatures().is_empty() {
        return Err(Error::SignatureMissing {
            document: envelope.document(),
        });
    }
    let message = envelope.pae();
    // `Envelope::parse` leaves no key id twice, whoever looks up has each key under its own id, and a
    // key has one encoding: so a key counts once.
    let mut signers = Vec::new();
    for signature in envelope.signatures() {
        let Some(key) = key(&signature.key_id()) else {
            continue;
        };
        if !key.verify(&message, signature.signature()) {
            return Err(Error::SignatureInvalid {
                key_id: signature.key_id(),
            });
        }
        signers.push(signature.key_id());
    }
    if signers.is_empty() {
        let signatures = envelope.signatures().iter();
        return Err(Error::Trust(TrustError::UnknownKey {
            document: envelope.document(),
            found: signatures.map(|one| one.key_id()).collect(),
        }));
    }
    Ok(signers)
}
