//! The document that is tampered with: a signed document of one kind, and the forms in which hosts read it.

use ampoule_signing::{Error, Sha256Digest};
use serde_json::Value;

use super::fields::Format;
use super::json_text::text;
use super::signer::{Entry, Signer, envelope};
use super::tally::{Outcome, Place, Tally};

/// A document in which every field is there, signed by two keys, both of which it takes.
pub(super) struct Document {
    pub(super) name: &'static str,
    pub(super) payload_type: &'static str,
    pub(super) content: Value,
    pub(super) signers: [Signer; 2],
    pub(super) format: Format,
    pub(super) forms: Vec<Form>,
    /// Distance of the bytes of its envelope that are changed: a root takes long to read.
    pub(super) stride: usize,
}

/// One way in which a host comes to read the document.
pub(super) struct Form {
    pub(super) name: &'static str,
    /// True if it brings the keys that have to sign it, and so is read before its signatures are verified.
    pub(super) brings_its_keys: bool,
    /// With what an envelope is refused whose payload is other text, of which nothing else is known.
    pub(super) other_payload: Outcome,
    /// Gives these bytes to the library in place of the envelope; the digest is that of the document
    /// that was handed on.
    pub(super) open: Open,
}

pub(super) type Open = Box<dyn Fn(&[u8]) -> Result<Sha256Digest, Error>>;

impl Document {
    /// The document's bytes, as they are signed.
    pub(super) fn payload(&self) -> Vec<u8> {
        text(&self.content, None).into_bytes()
    }

    /// Both signatures over a payload.
    pub(super) fn sign(&self, payload: &[u8]) -> Vec<Entry> {
        let signers = self.signers.iter();
        signers
            .map(|signer| signer.sign(self.payload_type, payload))
            .collect()
    }

    pub(super) fn envelope(&self, payload: &[u8], entries: &[Entry]) -> Vec<u8> {
        envelope(self.payload_type, payload, entries)
    }

    pub(super) fn place(&self, form: &Form, part: &'static str) -> Place {
        [self.name, form.name, part]
    }
}

/// Before anything is changed all is in order, or no row would prove anything.
pub(super) fn unchanged(document: &Document, tally: &mut Tally) {
    let payload = document.payload();
    let entries = document.sign(&payload);
    for form in &document.forms {
        tally.row(
            document.place(form, "unchanged"),
            Outcome::Accepted,
            Sha256Digest::of(&payload),
            (form.open)(&document.envelope(&payload, &entries)),
            || "as it was signed".to_owned(),
        );
    }
}

/// Requires that the document leaves nothing out and has no empty list.
#[track_caller]
pub(super) fn assert_full(document: &impl std::fmt::Debug) {
    let written = format!("{document:?}");
    for missing in ["None", "[]", "{}"] {
        assert!(!written.contains(missing), "{missing} in {written}");
    }
}
