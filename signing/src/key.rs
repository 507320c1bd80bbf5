//! Ed25519 keys, their names and their PEM forms.
//!
//! The files are what OpenSSL reads and writes: PKCS#8 (RFC 5208, RFC 8410) for private keys,
//! `SubjectPublicKeyInfo` (SPKI, RFC 5280, RFC 8410) for public ones.

use std::fmt;
use std::str::FromStr;

use ed25519::pkcs8::spki::{DecodePublicKey as _, EncodePublicKey as _};
use ed25519::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519::{KeypairBytes, PublicKeyBytes};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use pkcs8::der::SecretDocument;
use pkcs8::der::pem::PemLabel as _;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::{EncryptionScheme, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::digest::Sha256Digest;
use crate::error::{Error, ParseError, Result};
use crate::trust::TrustError;

/// The longest PEM file that is read as a key. A real one has some 400 bytes.
pub const MAX_KEY_FILE_BYTES: u64 = 16 * 1024;

/// scrypt's cost for the private keys that we write: N = 2^14, r = 8, p = 1, which takes 16 MiB.
/// OpenSSL refuses more unless told otherwise, and a key it cannot read is locked in.
const SCRYPT_LOG_N: u8 = 14;
const SCRYPT_R: u32 = 8;
const SCRYPT_P: u32 = 1;

/// The most memory that a key file may make scrypt take (128 · N · r bytes). The file names its own
/// cost, so a hostile one could otherwise ask for all the memory there is.
const MAX_SCRYPT_BYTES: u64 = 256 << 20;
/// The most passes that a key file may make scrypt take (p), for the same reason.
const MAX_SCRYPT_P: u16 = 16;
/// The most rounds that a key file may make PBKDF2 take (OpenSSL writes such files): some seconds.
const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;

/// A key's name: the SHA-256 of its public half in SPKI DER. A hint for look-up, never authority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(Sha256Digest);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse().map(Self)
    }
}

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
        if pem.len() as u64 > MAX_KEY_FILE_BYTES {
            return Err(Error::Trust(TrustError::MalformedKey {
                found: format!("{} bytes", pem.len()),
            }));
        }
        let malformed = |found: &str| {
            Error::Trust(TrustError::MalformedKey {
                found: found.to_owned(),
            })
        };
        let label =
            pkcs8::der::pem::decode_label(pem.as_bytes()).map_err(|_| malformed("no PEM block"))?;
        if label != "PUBLIC KEY" {
            // The label is a stranger's text: say what it is only where it is a known mistake.
            return Err(malformed(if label.ends_with("PRIVATE KEY") {
                "a private key"
            } else {
                "another kind of PEM block"
            }));
        }
        let bytes = PublicKeyBytes::from_public_key_pem(pem)
            .map_err(|_| malformed("a damaged block or another algorithm"))?;
        Self::from_bytes(&bytes.to_bytes())
    }

    /// Checks the 32 bytes of RFC 8032's public key.
    fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
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
            id: KeyId(Sha256Digest::of(spki.as_bytes())),
        })
    }

    /// SPKI PEM, as OpenSSL reads it.
    ///
    /// # Errors
    ///
    /// None that is known (`internal.encoding`).
    pub fn to_pem(&self) -> Result<String> {
        PublicKeyBytes(self.verifying.to_bytes())
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| Error::Internal("a public key"))
    }

    /// The key's name.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.id
    }

    /// Whether `signature` is this key's over `message`, by dalek's `verify_strict`: of the readings
    /// of RFC 8032 the one that refuses every malleable signature.
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
    /// A new key from the system's random numbers.
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
        let refused = |found| Error::UsagePrivateKey { found };
        if pem.len() as u64 > MAX_KEY_FILE_BYTES {
            return Err(refused("a file that is too long for a key"));
        }
        let (label, document) =
            SecretDocument::from_pem(pem).map_err(|_| refused("no PEM block or a damaged one"))?;
        match label {
            PrivateKeyInfoRef::PEM_LABEL => SigningKey::from_pkcs8_der(document.as_bytes())
                .map_err(|_| refused("a key of another algorithm or a damaged one"))
                .and_then(Self::from_signing),
            EncryptedPrivateKeyInfoRef::PEM_LABEL => {
                let encrypted = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|_| refused("a damaged or unknown encryption"))?;
                check_cost(&encrypted.encryption_algorithm).map_err(refused)?;
                let password = password.ok_or(Error::UsagePassword(
                    "the private key is encrypted; give its password by prompt, --password-file or \
                     AMPOULE_SIGN_PASSWORD",
                ))?;
                // A wrong password shows as bad padding or, once in 256 times, as bad DER.
                encrypted
                    .decrypt(password)
                    .ok()
                    .and_then(|plain| SigningKey::from_pkcs8_der(plain.as_bytes()).ok())
                    .ok_or(Error::UsagePassword(
                        "the password does not open the private key",
                    ))
                    .and_then(Self::from_signing)
            }
            "PUBLIC KEY" => Err(refused("a public key")),
            _ => Err(refused("another kind of PEM block")),
        }
    }

    /// Whether this PEM text is a private key that needs a password.
    #[must_use]
    pub fn is_encrypted_pem(pem: &str) -> bool {
        pkcs8::der::pem::decode_label(pem.as_bytes())
            .is_ok_and(|label| label == EncryptedPrivateKeyInfoRef::PEM_LABEL)
    }

    /// PKCS#8 PEM under a password: scrypt (N = 2^14, r = 8, p = 1) and AES-256-CBC.
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

    /// PKCS#8 PEM that anybody who can read it can sign with.
    ///
    /// # Errors
    ///
    /// None that is known (`internal.encoding`).
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

    /// The signature over `message` (Ed25519, RFC 8032). The public key that enters it is the
    /// derived one: a signer that takes it from outside can be made to give its private key away.
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

/// Refuses a key file whose decryption would take too much time or memory.
fn check_cost(scheme: &EncryptionScheme) -> Result<(), &'static str> {
    let Some(parameters) = scheme.pbes2() else {
        return Err("an encryption of PKCS#5 version 1, which is too weak");
    };
    let affordable = match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            let memory = scrypt
                .cost_parameter
                .checked_mul(128)
                .and_then(|bytes| bytes.checked_mul(u64::from(scrypt.block_size)));
            scrypt.cost_parameter > 1
                && scrypt.cost_parameter.is_power_of_two()
                && scrypt.parallelization <= MAX_SCRYPT_P
                && memory.is_some_and(|bytes| bytes <= MAX_SCRYPT_BYTES)
        }
        Kdf::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= MAX_PBKDF2_ROUNDS,
        _ => false,
    };
    if affordable {
        Ok(())
    } else {
        Err("an encryption whose cost is out of bounds")
    }
}

#[cfg(test)]
mod tests {
    use pkcs8::pkcs5::pbes2::{EncryptionScheme as Cipher, Pbkdf2Params, Salt, ScryptParams};

    use super::*;

    fn scheme(kdf: Kdf) -> EncryptionScheme {
        let encryption = Cipher::Aes256Cbc { iv: [0; 16] };
        EncryptionScheme::Pbes2(Parameters { kdf, encryption })
    }

    fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> EncryptionScheme {
        scheme(Kdf::Scrypt(ScryptParams {
            salt: Salt::new([0; 16]).unwrap(),
            cost_parameter,
            block_size,
            parallelization,
            key_length: None,
        }))
    }

    #[test]
    fn what_a_key_file_may_cost_is_bounded() {
        for affordable in [
            scrypt(1 << SCRYPT_LOG_N, 8, 1),
            scrypt(1 << 18, 8, 16),
            scheme(Kdf::Pbkdf2(
                Pbkdf2Params::hmac_sha256(600_000, &[0; 16]).unwrap(),
            )),
        ] {
            assert_eq!(check_cost(&affordable), Ok(()));
        }
        for too_much in [
            scrypt(1 << 19, 8, 1),
            scrypt(1 << 14, u16::MAX, 1),
            scrypt(1 << 14, 8, 17),
            scrypt(1 << 63, u16::MAX, 1),
            scrypt(u64::MAX, 1, 1),
            scrypt(0, 8, 1),
            scrypt(1, 8, 1),
            scheme(Kdf::Pbkdf2(
                Pbkdf2Params::hmac_sha256(10_000_001, &[0; 16]).unwrap(),
            )),
        ] {
            assert!(check_cost(&too_much).is_err(), "{too_much:?}");
        }
    }
}
