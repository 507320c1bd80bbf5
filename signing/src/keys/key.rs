//! Ed25519 keys, their names and their PEM forms.
//!
//! The files are those of OpenSSL: PKCS#8 (RFC 5208, RFC 8410) for private keys, `SubjectPublicKeyInfo` (SPKI, RFC
//! 5280, RFC 8410) for public ones.

use std::fmt;

use ed25519::pkcs8::EncodePrivateKey as _;
use ed25519::pkcs8::spki::{DecodePublicKey as _, EncodePublicKey as _};
use ed25519::{KeypairBytes, PublicKeyBytes};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use pkcs8::der::pem::PemLabel as _;
use pkcs8::der::{Decode as _, Document, Reader as _, SecretDocument, SliceReader};
use pkcs8::pkcs5::pbes2::Parameters;
use pkcs8::pkcs5::scrypt;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use crate::values::key_id::KeyId;

use crate::keys::key_encryption;
use crate::keys::key_kind::Found;
use crate::keys::key_kind::{ED25519, Half, algorithm_kind};
use crate::keys::pem;
use crate::values::error::{Error, Result};
use crate::values::trust_error::TrustError;

/// The longest PEM file that is read as a key. A real one has some 400 bytes.
pub const MAX_KEY_FILE_BYTES: u64 = 16 * 1024;

/// scrypt's cost for the private keys that we write: N = 2^14, r = 8, p = 1, which takes 16 MiB. OpenSSL refuses a
/// higher cost unless told otherwise.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

/// The labels of blocks that keys are read from.
const PUBLIC_LABEL: &str = "PUBLIC KEY";
const PRIVATE_LABELS: [&str; 2] = [
    PrivateKeyInfoRef::PEM_LABEL,
    EncryptedPrivateKeyInfoRef::PEM_LABEL,
];

/// A publisher's public key, which is known not to be weak.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    verifying: VerifyingKey,
    id: KeyId,
}

impl PublicKey {
    /// Reads SPKI PEM, as `ampoule-sign pubkey` and `openssl pkey -pubout` write it.
    ///
    /// # Errors
    ///
    /// `trust.malformed-key` when it is something else, `trust.weak-key` when the point is of low
    /// order (anybody can then make signatures that plain verification accepts) or has a component of
    /// low order (one key would have several names).
    pub fn from_pem(pem: &str) -> Result<Self> {
        Self::from_file(pem.as_bytes())
    }

    /// Reads a public key's file: one block `PUBLIC KEY`, with any other text around it (`pem.rs`).
    pub(crate) fn from_file(file: &[u8]) -> Result<Self> {
        Self::point(file)
            .map_err(|found| {
                Error::Trust(TrustError::MalformedKey {
                    found: found.into_owned(),
                })
            })
            .and_then(|point| Self::from_bytes(&point))
    }

    fn point(file: &[u8]) -> Result<[u8; 32], Found> {
        check_length(file)?;
        let (_, pem) = pem::only_block(file, &[PUBLIC_LABEL], Half::Public)?;
        let (_, document) =
            Document::from_pem(&pem).map_err(|_| "a damaged PEM block; copy the file again")?;
        let info = SubjectPublicKeyInfoRef::try_from(document.as_bytes())
            .map_err(|_| "a damaged public key")?;
        if info.algorithm.oid != ED25519 {
            return Err(algorithm_kind(info.algorithm.oid));
        }
        PublicKeyBytes::from_public_key_der(document.as_bytes())
            .map(|bytes| bytes.to_bytes())
            .map_err(|_| "a damaged key of Ed25519".into())
    }

    /// Checks the 32 bytes of RFC 8032's public key.
    ///
    /// # Errors
    ///
    /// `trust.weak-key`, as [`PublicKey::from_pem`], and for bytes that are no point.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        let weak = |reason| Error::Trust(TrustError::WeakKey { reason });
        let verifying =
            VerifyingKey::from_bytes(bytes).map_err(|_| weak("it is no point of the curve"))?;
        if verifying.is_weak() {
            return Err(weak(
                "it is a point of low order, for which anybody can forge signatures",
            ));
        }
        // This leaves each key one encoding, too: those with y not below p are all of low order or
        // have such a component.
        if !verifying.to_edwards().is_torsion_free() {
            return Err(weak("it has a component of low order"));
        }
        Self::named(verifying)
    }

    fn named(verifying: VerifyingKey) -> Result<Self> {
        let spki = PublicKeyBytes(verifying.to_bytes())
            .to_public_key_der()
            .map_err(|_| Error::Internal("a public key"))?;
        Ok(Self {
            verifying,
            id: KeyId::of_spki(spki.as_bytes()),
        })
    }

    /// Writes SPKI PEM, as OpenSSL reads it.
    ///
    /// # Errors
    ///
    /// `internal.encoding`, which would be a bug.
    pub fn to_pem(&self) -> Result<String> {
        PublicKeyBytes(self.to_bytes())
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| Error::Internal("a public key"))
    }

    /// The 32 bytes of the point (RFC 8032, section 5.1.2).
    pub(crate) fn to_bytes(&self) -> [u8; 32] {
        self.verifying.to_bytes()
    }

    /// The key's name.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.id
    }

    /// Returns true if `signature` is this key's over `message`. dalek's `verify_strict` decides, the reading of RFC
    /// 8032 that refuses every malleable signature.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.verifying
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.id).finish()
    }
}

/// A publisher's private key. It is wiped from memory when dropped.
pub struct SecretKey {
    signing: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// Makes a new key from the system's random numbers.
    ///
    /// # Errors
    ///
    /// `io.random` when the system has none.
    pub fn generate() -> Result<Self> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| Error::IoRandom)?;
        Self::from_signing(SigningKey::from_bytes(&seed))
    }

    fn from_signing(signing: SigningKey) -> Result<Self> {
        let public = PublicKey::named(signing.verifying_key())?;
        Ok(Self { signing, public })
    }

    /// Reads PKCS#8 PEM, encrypted or not, as we or `openssl genpkey -algorithm ed25519` write it.
    /// The password is used only when the key is encrypted.
    ///
    /// # Errors
    ///
    /// `usage.private-key` when it is something else or would take too much time or memory to
    /// decrypt, `usage.password` when it is encrypted and the password is missing or wrong.
    pub fn from_pem(pem: &str, password: Option<&str>) -> Result<Self> {
        Self::from_file(pem.as_bytes(), password)
    }

    /// Reads a private key's file: one block `PRIVATE KEY` or `ENCRYPTED PRIVATE KEY`, with any other text around it
    /// (`pem.rs`).
    pub(crate) fn from_file(file: &[u8], password: Option<&str>) -> Result<Self> {
        let refused = |found| Error::UsagePrivateKey { found };
        check_length(file).map_err(refused)?;
        let (label, pem) =
            pem::only_block(file, &PRIVATE_LABELS, Half::Private).map_err(refused)?;
        let (_, document) = SecretDocument::from_pem(&pem)
            .map_err(|_| refused("a damaged PEM block; copy the file again".into()))?;
        if label == PrivateKeyInfoRef::PEM_LABEL {
            return signing_key(document.as_bytes())
                .map_err(refused)
                .and_then(Self::from_signing);
        }
        let encrypted = key_encryption::open(document.as_bytes()).map_err(refused)?;
        let password = password.ok_or(Error::UsagePassword(
            "the private key is encrypted, and no password is given",
        ))?;
        let wrong = Error::UsagePassword("the password does not open the private key");
        let plain = match encrypted.decrypt(password) {
            Ok(plain) => plain,
            // What is left is a derivation and a cipher that do not go together.
            Err(pkcs8::Error::EncryptedPrivateKey(error))
                if error != pkcs8::pkcs5::Error::DecryptFailed =>
            {
                return Err(refused(
                    "an encrypted key whose parameters do not fit together".into(),
                ));
            }
            // A wrong password shows as bad padding or, once in 256 times, as bad DER.
            Err(_) => return Err(wrong),
        };
        if PrivateKeyInfoRef::try_from(plain.as_bytes()).is_err()
            && !is_private_key(plain.as_bytes())
        {
            return Err(wrong);
        }
        signing_key(plain.as_bytes())
            .map_err(refused)
            .and_then(Self::from_signing)
    }

    /// Returns true for PEM text of a private key that needs a password.
    #[must_use]
    pub fn is_encrypted_pem(pem: &str) -> bool {
        Self::is_encrypted_file(pem.as_bytes())
    }

    pub(crate) fn is_encrypted_file(file: &[u8]) -> bool {
        file.len() as u64 <= MAX_KEY_FILE_BYTES
            && pem::only_block(file, &PRIVATE_LABELS, Half::Private)
                .is_ok_and(|(label, _)| label == EncryptedPrivateKeyInfoRef::PEM_LABEL)
    }

    /// Writes PKCS#8 PEM under a password: scrypt (N = 2^14, r = 8, p = 1) and AES-256-CBC.
    ///
    /// # Errors
    ///
    /// `usage.password` when the password is empty, `io.random` without random numbers.
    pub fn to_encrypted_pem(&self, password: &str) -> Result<Zeroizing<String>> {
        if password.is_empty() {
            return Err(Error::UsagePassword("the password is empty; choose one"));
        }
        let encoding = |_| Error::Internal("an encrypted private key");
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        getrandom::fill(&mut salt).map_err(|_| Error::IoRandom)?;
        getrandom::fill(&mut iv).map_err(|_| Error::IoRandom)?;
        let cost = scrypt::Params::new(SCRYPT_LOG_N, SCRYPT_R, SCRYPT_P)
            .map_err(|_| Error::Internal("scrypt's cost"))?;
        let scheme = Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
            .map_err(|_| Error::Internal("scrypt's cost"))?;
        let plain = self.to_der()?;
        PrivateKeyInfoRef::try_from(plain.as_bytes())
            .and_then(|info| info.encrypt_with_params(scheme, password))
            .map_err(encoding)?
            .to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)
            .map_err(|_| Error::Internal("an encrypted private key"))
    }

    /// Writes unencrypted PKCS#8 PEM: anybody who can read it can sign with it.
    ///
    /// # Errors
    ///
    /// `internal.encoding`, which would be a bug.
    pub fn to_plain_pem(&self) -> Result<Zeroizing<String>> {
        self.to_der()?
            .to_pem(PrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)
            .map_err(|_| Error::Internal("a private key"))
    }

    /// Version 1 of PKCS#8, without the public key: OpenSSL 3.0 does not read version 2.
    fn to_der(&self) -> Result<SecretDocument> {
        KeypairBytes {
            secret_key: self.signing.to_bytes(),
            public_key: None,
        }
        .to_pkcs8_der()
        .map_err(|_| Error::Internal("a private key"))
    }

    /// The public half, derived from the private one.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message` (Ed25519, RFC 8032). The public key that enters the signature is the derived one: a signer
    /// that takes it from outside can be made to give its private key away.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.signing.sign(message).to_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

fn check_length(file: &[u8]) -> Result<(), Found> {
    if file.len() as u64 > MAX_KEY_FILE_BYTES {
        return Err(format!(
            "a file of more than the {} KiB of a key",
            MAX_KEY_FILE_BYTES >> 10
        )
        .into());
    }
    Ok(())
}

/// The public half as ring wrote it into its private keys before version 0.17, with an explicit tag.
const RING_PUBLIC_HALF: [u8; 5] = [0xa1, 0x23, 0x03, 0x21, 0x00];

/// Reads PKCS#8, with a public half (version 2, RFC 5958) or without.
fn signing_key(document: &[u8]) -> Result<SigningKey, Found> {
    let info = PrivateKeyInfoRef::try_from(document).map_err(|_| {
        let length = RING_PUBLIC_HALF.len();
        if document
            .windows(length)
            .any(|part| part == RING_PUBLIC_HALF)
        {
            "a key with its public half spelled as ring before 0.17 spelled it; write it anew without that \
             half (PKCS#8 version 1)"
        } else {
            "a damaged private key"
        }
    })?;
    if info.algorithm.oid != ED25519 {
        return Err(algorithm_kind(info.algorithm.oid));
    }
    SigningKey::try_from(info)
        .map_err(|_| "a key of Ed25519 that is damaged, or has another's public half".into())
}

/// Returns true if the decrypted bytes begin as PKCS#8 does, with a version and an algorithm. Then the password is
/// right.
fn is_private_key(document: &[u8]) -> bool {
    SliceReader::new(document)
        .and_then(|mut reader| {
            reader.sequence(|reader| {
                u8::decode(reader)?;
                AlgorithmIdentifierRef::decode(reader)?;
                reader.read_slice(reader.remaining_len())?;
                Ok::<_, pkcs8::der::Error>(())
            })
        })
        .is_ok()
}
