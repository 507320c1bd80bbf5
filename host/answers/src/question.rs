//! Hash of a request: everything that determines its answer, under its tenant's key.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// SHA-256 digest of the signed manifest of the model that is asked.
pub type Manifest = [u8; 32];

/// A request, hashed part by part. Each part goes in with its length, so no two lists of parts are alike.
pub struct QuestionBuilder {
    code: Hmac<Sha256>,
    manifest: Manifest,
}

impl QuestionBuilder {
    pub(crate) fn new(code: Hmac<Sha256>, manifest: Manifest) -> Self {
        Self { code, manifest }.part(&manifest)
    }

    /// Adds a part.
    #[must_use]
    pub fn part(mut self, part: &[u8]) -> Self {
        self.code.update(&(part.len() as u64).to_be_bytes());
        self.code.update(part);
        self
    }

    /// Ends the hash.
    #[must_use]
    pub fn finish(self) -> Question {
        Question {
            digest: self.code.finalize().into_bytes().into(),
            manifest: self.manifest,
        }
    }
}

impl std::fmt::Debug for QuestionBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QuestionBuilder(…)")
    }
}

/// The hash of a request. Without the tenant's key nobody can tell of a request if this is its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub(crate) digest: [u8; 32],
    pub(crate) manifest: Manifest,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;

    fn digest(parts: &[&[u8]]) -> [u8; 32] {
        let begun = QuestionBuilder::new(hash::begin(&[7; 32]), [1; 32]);
        let built = parts.iter().fold(begun, |built, part| built.part(part));
        built.finish().digest
    }

    #[test]
    fn no_two_lists_of_parts_have_one_hash() {
        let lists: [&[&[u8]]; 6] = [
            &[],
            &[b""],
            &[b"", b""],
            &[b"ab"],
            &[b"a", b"b"],
            &[b"", b"ab"],
        ];
        for (index, list) in lists.iter().enumerate() {
            assert_eq!(digest(list), digest(list));
            for other in &lists[index + 1..] {
                assert_ne!(digest(list), digest(other));
            }
        }
    }
}
