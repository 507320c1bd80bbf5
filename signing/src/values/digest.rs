//! SHA-256 digests, of whole files and of files in chunks.

use std::fmt;
use std::str::FromStr;

use rayon::iter::{IndexedParallelIterator as _, ParallelIterator as _};
use rayon::slice::ParallelSlice as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

use ampoule_units::{ParseError, hex};

/// A SHA-256 digest (FIPS 180-4). Text form: 64 lower-case hexadecimal digits, nothing else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// Computes the digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Takes a digest that was computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Finishes a hasher.
    pub(crate) fn of_hasher(hasher: sha2::Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// The 32 bytes themselves.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sha256Digest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        hex::read(text).map(Self).ok_or_else(|| {
            ParseError("expected 64 lower-case hexadecimal digits (SHA-256)".to_owned())
        })
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Digest of one file's content, in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FileDigest {
    /// One digest over the whole file.
    Sha256(Sha256Digest),
    /// One digest a chunk, so that a large file can be checked in parts.
    Sha256Chunks {
        /// The length in bytes of every chunk but the last, which may be shorter.
        chunk_size: u64,
        /// One digest for each chunk, in order; none for an empty file.
        digests: Vec<Sha256Digest>,
    },
}

impl FileDigest {
    /// Computes digests of `bytes` in chunks of `chunk_size` bytes.
    #[must_use]
    pub fn of_chunks(bytes: &[u8], chunk_size: std::num::NonZeroU32) -> Self {
        Self::Sha256Chunks {
            chunk_size: u64::from(chunk_size.get()),
            digests: chunks(bytes, u64::from(chunk_size.get()))
                .map(Sha256Digest::of)
                .collect(),
        }
    }

    /// Returns true if `bytes` are exactly the content that was signed.
    #[must_use]
    pub fn verify(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Sha256(digest) => Sha256Digest::of(bytes) == *digest,
            Self::Sha256Chunks { chunk_size: 0, .. } => false,
            Self::Sha256Chunks {
                chunk_size,
                digests,
            } => {
                let chunks = chunks(bytes, *chunk_size);
                chunks.len() == digests.len()
                    && chunks
                        .zip(digests)
                        .all(|(chunk, digest)| Sha256Digest::of(chunk) == *digest)
            }
        }
    }
}

/// Reads a digest as people pass it on: 64 hexadecimal digits, with `sha256:` before them or without.
///
/// # Errors
///
/// For any other text.
pub fn parse_digest(text: &str) -> Result<Sha256Digest, ParseError> {
    text.strip_prefix("sha256:").unwrap_or(text).parse()
}

/// Splits `bytes` into chunks for all cores; `chunk_size` is not zero.
fn chunks(bytes: &[u8], chunk_size: u64) -> rayon::slice::Chunks<'_, u8> {
    // A chunk longer than the address space is one chunk.
    bytes.par_chunks(usize::try_from(chunk_size).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// The examples of FIPS 180-4's companion document: the empty message and "abc".
    #[test]
    fn digests_are_sha_256() {
        for (message, hex) in [
            (
                "",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                "abc",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
        ] {
            assert_eq!(Sha256Digest::of(message.as_bytes()).to_string(), hex);
            assert_eq!(hex.parse(), Ok(Sha256Digest::of(message.as_bytes())));
        }
    }

    #[test]
    fn digests_in_another_spelling_are_refused() {
        let hex = Sha256Digest::of(b"").to_string();
        for text in [
            &hex[1..],
            &hex.to_uppercase(),
            &format!("{hex}0"),
            &format!(" {}", &hex[1..]),
        ] {
            assert!(text.parse::<Sha256Digest>().is_err(), "{text:?}");
        }
        assert!("é".repeat(32).parse::<Sha256Digest>().is_err());
    }

    #[test]
    fn a_file_is_verified_whole_and_in_chunks() {
        let content = b"0123456789";
        let mut digests = vec![FileDigest::Sha256(Sha256Digest::of(content))];
        for size in [1, 3, 5, 10, 11] {
            digests.push(FileDigest::of_chunks(
                content,
                NonZeroU32::new(size).unwrap(),
            ));
        }
        for digest in digests {
            assert!(digest.verify(content), "{digest:?}");
            assert!(!digest.verify(&content[..9]), "{digest:?}");
            assert!(!digest.verify(b"0123456789a"), "{digest:?}");
            assert!(!digest.verify(b"0123456788"), "{digest:?}");
            assert!(!digest.verify(b""), "{digest:?}");
        }
    }

    #[test]
    fn chunks_of_no_length_never_fit() {
        assert!(
            !FileDigest::Sha256Chunks {
                chunk_size: 0,
                digests: Vec::new()
            }
            .verify(b"")
        );
    }
}
