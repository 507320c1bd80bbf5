//! The text of an API key, which its holder sends: `amp_`, the key's name, and 256 random bits.

use std::fmt;

use ampoule_signing::Error as SigningError;
use ampoule_units::hex;
use zeroize::Zeroizing;

use crate::key_name::KeyName;

/// Beginning of every key, by which scanners of published code recognise one.
const PREFIX: &str = "amp_";
/// Digits of the name.
const NAME_DIGITS: usize = 16;
/// Digits of the secret.
const SECRET_DIGITS: usize = 64;

/// An API key: its name and its secret. The secret is wiped from memory when dropped, and no `Debug` or `Display`
/// shows it.
///
/// Text form: `amp_3f9c2a7be1d04c58_` and 64 hexadecimal digits.
pub struct KeyText {
    name: KeyName,
    secret: Zeroizing<[u8; 32]>,
}

impl KeyText {
    /// Makes a new key of random bits.
    pub(crate) fn generate() -> Result<Self, SigningError> {
        let mut name = [0; 8];
        let mut secret = Zeroizing::new([0; 32]);
        let filled = getrandom::fill(&mut name).and_then(|()| getrandom::fill(&mut *secret));
        filled.map_err(|_| SigningError::IoRandom)?;
        Ok(Self {
            name: KeyName::from_bytes(name),
            secret,
        })
    }

    /// Reads a key; `None` for any other text.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX.as_bytes())?;
        let (name, rest) = digits.split_at_checked(NAME_DIGITS)?;
        let mut name_bytes = [0; 8];
        hex::read_into(name, &mut name_bytes)?;
        let mut secret = Zeroizing::new([0; 32]);
        hex::read_into(rest.strip_prefix(b"_")?, &mut secret)?;
        Some(Self {
            name: KeyName::from_bytes(name_bytes),
            secret,
        })
    }

    /// Tells whether a text begins as keys do, whatever follows.
    pub(crate) fn looks_like_one(text: &[u8]) -> bool {
        text.starts_with(PREFIX.as_bytes())
    }

    /// Returns the name, which is no secret.
    #[must_use]
    pub const fn name(&self) -> KeyName {
        self.name
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// Returns the whole text, for the one time that it is shown.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let length = PREFIX.len() + NAME_DIGITS + 1 + SECRET_DIGITS;
        // Enough from the start: a text that grows leaves copies of the secret behind.
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(PREFIX);
        // Writing to a text cannot fail.
        let _ = hex::write(self.name.as_bytes(), &mut *text);
        text.push('_');
        let _ = hex::write(&*self.secret, &mut *text);
        text
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyText({}, …)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_its_one_spelling_and_its_secret_is_not_shown() {
        let key = KeyText::generate().unwrap();
        let text = key.reveal();
        assert_eq!((text.len(), text.capacity()), (85, 85));
        let read = KeyText::parse(text.as_bytes()).unwrap();
        assert_eq!((read.name(), read.secret()), (key.name(), key.secret()));
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.name().to_string()));
        assert!(!shown.contains(&text[21..29]), "{shown}");

        for end in 0..text.len() {
            assert!(KeyText::parse(&text.as_bytes()[..end]).is_none(), "{end}");
        }
        for place in 0..text.len() {
            for other in [b'A', b'g', b'_', b'-', b' ', 0, 0xff] {
                let mut wrong = text.as_bytes().to_vec();
                if wrong[place] == other {
                    continue;
                }
                wrong[place] = other;
                assert!(KeyText::parse(&wrong).is_none(), "{other} at {place}");
            }
        }
        assert!(KeyText::parse(format!("{}0", *text).as_bytes()).is_none());
        assert!(KeyText::parse(format!("{}\n", *text).as_bytes()).is_none());
    }

    #[test]
    fn no_two_keys_are_alike() {
        let (one, two) = (KeyText::generate().unwrap(), KeyText::generate().unwrap());
        assert_ne!(one.name(), two.name());
        assert_ne!(one.secret(), two.secret());
    }
}
