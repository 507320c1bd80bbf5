//! Keys: one of each tenant, for its session or derived from a key file, and those derived from it.

use std::fmt;
use std::str::FromStr;

use ampoule_signing::{Error as SigningError, Location, read_private_text};
use ampoule_units::hex;
use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::hash::{self, SecretBytes};

/// Sets a tenant's key apart from all else that is derived from a key file.
const TENANT_DOMAIN: &[u8] = b"ampoule-answers-tenant-v1\0";
/// Sets the key under which requests are hashed apart.
const QUESTION_DOMAIN: &[u8] = b"ampoule-answers-question-v1\0";
/// Sets the key from which entries' keys are derived apart.
const ENTRY_DOMAIN: &[u8] = b"ampoule-answers-entry-v1\0";
/// Sets a tenant's public id apart.
const ID_DOMAIN: &[u8] = b"ampoule-answers-id-v1\0";

/// Bytes of a key file that are read, which are more than it may have.
const MAX_KEY_FILE_BYTES: u64 = 128;

/// The key of a key file, from which each tenant's is derived. Text form: 64 hexadecimal digits and at most one line end.
/// The bytes are wiped from memory with it.
pub struct MasterKey(SecretBytes);

impl MasterKey {
    /// Reads a key file.
    ///
    /// # Errors
    ///
    /// `key.malformed`; `trust.owner` and `trust.permissions` where others may read the file, `file.missing`,
    /// `file.symlink`, `file.type`, `io.failed`.
    pub fn read<'p>(location: impl Into<Location<'p>>) -> Result<Self> {
        let text = read_private_text(location, "the key file", MAX_KEY_FILE_BYTES)?;
        text.parse()
    }

    /// Returns the key of a tenant.
    pub(crate) fn of_tenant(&self, tenant: &str) -> TenantKey {
        let root = hash::code(&self.0, &[TENANT_DOMAIN, tenant.as_bytes()]);
        TenantKey::of(&Zeroizing::new(root))
    }
}

impl FromStr for MasterKey {
    type Err = Error;

    /// Reads the text of a key file. Other texts are refused without repeating them.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_suffix('\n').unwrap_or(text);
        let mut bytes = Zeroizing::new([0; 32]);
        hex::read_into(digits.as_bytes(), &mut bytes).ok_or(Error::Key)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Public id of a tenant's key. It tells nothing of the tenant's name to those who lack the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TenantId([u8; 16]);

impl TenantId {
    /// Reads 32 hexadecimal digits.
    pub(crate) fn read(digits: &str) -> Option<Self> {
        hex::read(digits).map(Self)
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

/// Keys of one tenant. They have no `Debug`, and are wiped from memory when they are dropped.
pub(crate) struct TenantKey {
    question: SecretBytes,
    entry: SecretBytes,
    id: TenantId,
}

impl TenantKey {
    /// Makes a key of random bits, for a tenant's session.
    ///
    /// # Errors
    ///
    /// `io.random`.
    pub(crate) fn of_session() -> Result<Self, SigningError> {
        let mut root = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *root).map_err(|_| SigningError::IoRandom)?;
        Ok(Self::of(&root))
    }

    fn of(root: &SecretBytes) -> Self {
        let derive = |domain| Zeroizing::new(hash::code(root, &[domain]));
        let id = derive(ID_DOMAIN);
        let (id, _) = id.split_first_chunk().unwrap_or((&[0; 16], &[]));
        Self {
            question: derive(QUESTION_DOMAIN),
            entry: derive(ENTRY_DOMAIN),
            id: TenantId(*id),
        }
    }

    pub(crate) fn id(&self) -> TenantId {
        self.id
    }

    /// Begins the hash of a request.
    pub(crate) fn begin_question(&self) -> Hmac<Sha256> {
        hash::begin(&self.question)
    }

    /// Returns the key of the one entry that answers this request.
    pub(crate) fn of_entry(&self, question: &[u8; 32]) -> SecretBytes {
        Zeroizing::new(hash::code(&self.entry, &[question]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn a_key_file_gives_each_tenant_a_key_of_its_own_and_always_the_same() {
        let master: MasterKey = DIGITS.parse().unwrap();
        let again: MasterKey = format!("{DIGITS}\n").parse().unwrap();
        let (acme, same) = (master.of_tenant("acme"), again.of_tenant("acme"));
        assert_eq!(acme.of_entry(&[1; 32]), same.of_entry(&[1; 32]));
        assert!(acme.id() == same.id());
        for other in [master.of_tenant("acm"), master.of_tenant("")] {
            assert_ne!(acme.of_entry(&[1; 32]), other.of_entry(&[1; 32]));
            assert!(acme.id() != other.id());
        }
        assert_ne!(acme.of_entry(&[1; 32]), acme.of_entry(&[2; 32]));
        assert_ne!(*acme.question, *acme.entry);
    }

    #[test]
    fn sessions_of_one_tenant_share_no_key() {
        let (one, other) = (
            TenantKey::of_session().unwrap(),
            TenantKey::of_session().unwrap(),
        );
        assert!(one.id() != other.id());
        assert_ne!(one.of_entry(&[1; 32]), other.of_entry(&[1; 32]));
    }

    #[test]
    fn a_key_file_has_one_spelling_and_its_key_is_not_shown() {
        for wrong in [
            "",
            &DIGITS[1..],
            &format!("{DIGITS}\n\n"),
            &DIGITS.to_uppercase(),
        ] {
            let refused = wrong.parse::<MasterKey>().unwrap_err();
            assert_eq!(refused.code(), "key.malformed");
            assert!(!refused.to_string().contains("0001"), "{refused}");
        }
        let master: MasterKey = DIGITS.parse().unwrap();
        assert_eq!(format!("{master:?}"), "MasterKey(…)");
    }
}
