//! Signatures and public keys for minisign, so that an envelope can be checked with somebody else's tool.
//!
//! Source: minisign's manual, sections "Signature format" and "Public key format". Signatures are
//! prehashed (`ED`, BLAKE2b-512), which minisign calls for since 0.8; they can therefore never be taken for
//! one over a manifest, whose message begins with `DSSEv1`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use blake2::{Blake2b512, Digest as _};

use crate::bundle::envelope::ENVELOPE_FILE;
use crate::bundle::envelope::Envelope;
use crate::bundle::manifest::Manifest;
use crate::bundle::source::{open_directory, read_envelope};
use crate::files::permission_policy::Location;
use crate::keys::key::{PublicKey, SecretKey};
use crate::sign::file_rules::MINISIGN_FILE;
use crate::values::error::{Error, Result};
use crate::values::key_id::KeyId;

/// Returns minisign's own name for a key: 8 bytes, here the first of our key id.
fn minisign_key_id(id: KeyId) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&id.as_bytes()[..8]);
    short
}

/// Formats a key's name as minisign prints it: a number of 16 digits, whose bytes stand in the files in reverse
/// order.
fn shown(id: [u8; 8]) -> String {
    format!("{:016X}", u64::from_le_bytes(id))
}

impl PublicKey {
    /// Writes the key as a file that `minisign -V -p` takes.
    #[must_use]
    pub fn to_minisign(&self) -> String {
        let id = minisign_key_id(self.key_id());
        let mut bytes = b"Ed".to_vec();
        bytes.extend_from_slice(&id);
        bytes.extend_from_slice(&self.to_bytes());
        format!(
            "untrusted comment: minisign public key {}\n{}\n",
            shown(id),
            BASE64.encode(bytes)
        )
    }
}

/// Returns the signature file that `minisign -V` checks `message` by. The comment, one line, is signed too.
fn signature(key: &SecretKey, message: &[u8], trusted_comment: &str) -> String {
    let id = minisign_key_id(key.public_key().key_id());
    let signature = key.sign(&Blake2b512::digest(message));
    let mut bytes = b"ED".to_vec();
    bytes.extend_from_slice(&id);
    bytes.extend_from_slice(&signature);
    let mut whole = signature.to_vec();
    whole.extend_from_slice(trusted_comment.as_bytes());
    format!(
        "untrusted comment: signature by minisign public key {}\n{}\ntrusted comment: \
         {trusted_comment}\n{}\n",
        shown(id),
        BASE64.encode(bytes),
        BASE64.encode(key.sign(&whole))
    )
}

/// Signs the envelope in a directory, which this key has signed as such, for minisign, and puts the signature into
/// [`MINISIGN_FILE`] beside it. One that is there is replaced: it is over an envelope that was.
///
/// # Errors
///
/// `envelope.*`, `manifest.*`, `trust.owner`, `trust.permissions`, `usage.arguments` when the envelope has no valid
/// signature of this key, `io.failed`.
pub fn minisign_directory<'p>(
    location: impl Into<Location<'p>>,
    key: &SecretKey,
) -> Result<Manifest> {
    let directory = open_directory(&location.into())?;
    let envelope = read_envelope(&directory)?;
    let manifest = Manifest::parse(envelope.payload())?;
    check_signed(&envelope, key.public_key())?;
    let comment = format!(
        "{}/{}@{} release {}, file {ENVELOPE_FILE}",
        manifest.publisher(),
        manifest.name(),
        manifest.version(),
        manifest.release()
    );
    let signature = signature(key, &envelope.to_bytes()?, &comment);
    directory
        .replace(MINISIGN_FILE, signature.as_bytes(), 0o644)
        .map_err(Error::io("write the signature"))?;
    Ok(manifest)
}

/// Requires the key's own signature in the envelope: signatures for two tools must not tell different stories.
fn check_signed(envelope: &Envelope, key: &PublicKey) -> Result<()> {
    let message = envelope.pae();
    let is_signed = envelope
        .signatures()
        .iter()
        .any(|one| one.key_id() == key.key_id() && key.verify(&message, one.signature()));
    if is_signed {
        return Ok(());
    }
    Err(Error::UsageArguments(format!(
        "the key {} has not signed the bundle; sign it first with `ampoule-sign sign` or \
         `ampoule-sign cosign`",
        key.key_id()
    )))
}
