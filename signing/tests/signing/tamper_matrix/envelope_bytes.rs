//! The bytes of an envelope, region by region: a bit of each flipped, bytes taken out, bytes put in, the
//! whole cut short or longer.
//!
//! The expected end follows from the region and its new text. Text that the canonical form does not write is
//! malformed. Another payload or another signature does not fit. Another key's name leaves one signature too few.
//! Another type is another document's.

use std::ops::Range;

use ampoule_signing::Sha256Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::document::{Document, Form};
use super::tally::{Outcome, Tally};

const MALFORMED: Outcome = Outcome::Refused("envelope.malformed");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Region {
    /// Names of fields, quotes, colons, brackets and commas.
    Syntax,
    Payload,
    PayloadType,
    KeyId,
    Signature,
}

/// Other bytes in place of some.
#[derive(Clone, Debug)]
struct Edit {
    region: Region,
    /// The place of the region's text, if it has one.
    string: Range<usize>,
    replaced: Range<usize>,
    by: Vec<u8>,
}

/// At most so many offsets of one region are tried.
const OFFSETS: usize = 100;

pub(super) fn tamper(document: &Document, tally: &mut Tally) {
    let payload = document.payload();
    let envelope = document.envelope(&payload, &document.sign(&payload));
    let signed = Sha256Digest::of(&payload);
    for edit in edits(&envelope, document.stride) {
        let changed = edit.apply(&envelope);
        for form in &document.forms {
            tally.row(
                document.place(form, "bytes of the envelope"),
                edit.expected(&envelope, form),
                signed,
                (form.open)(&changed),
                || format!("{edit:?}"),
            );
        }
    }
}

/// Finds each of the envelope's strings.
fn strings(envelope: &[u8]) -> Vec<(Region, Range<usize>)> {
    let text = std::str::from_utf8(envelope).unwrap();
    let json: Value = serde_json::from_str(text).unwrap();
    let find = |region, value: &Value| {
        let quoted = value.to_string();
        let start = text.find(&quoted).unwrap() + 1;
        (region, start..start + quoted.len() - 2)
    };
    let mut strings = vec![
        find(Region::Payload, &json["payload"]),
        find(Region::PayloadType, &json["payloadType"]),
    ];
    for signature in json["signatures"].as_array().unwrap() {
        strings.push(find(Region::KeyId, &signature["keyid"]));
        strings.push(find(Region::Signature, &signature["sig"]));
    }
    strings
}

/// All edits. A string's edges belong to it for what is put in there.
fn edits(envelope: &[u8], stride: usize) -> Vec<Edit> {
    let mut edits = Vec::new();
    let mut from = 0;
    for (region, string) in strings(envelope) {
        edits_in(
            Region::Syntax,
            from..string.start,
            envelope,
            stride,
            &mut edits,
        );
        edits_in(region, string.clone(), envelope, stride, &mut edits);
        from = string.end;
    }
    edits_in(
        Region::Syntax,
        from..envelope.len(),
        envelope,
        stride,
        &mut edits,
    );
    // The whole.
    let whole = |replaced, by: &[u8]| Edit {
        region: Region::Syntax,
        string: 0..0,
        replaced,
        by: by.to_vec(),
    };
    let lengths = (0..envelope.len()).step_by(envelope.len().div_ceil(OFFSETS));
    edits.extend(lengths.map(|length| whole(length..envelope.len(), b"")));
    let end = envelope.len()..envelope.len();
    for more in [&b"\n"[..], b" ", b"\0", b"}", b"{}", envelope] {
        edits.push(whole(end.clone(), more));
    }
    edits
}

fn edits_in(
    region: Region,
    range: Range<usize>,
    envelope: &[u8],
    stride: usize,
    edits: &mut Vec<Edit>,
) {
    let mut edit = |replaced, by| {
        edits.push(Edit {
            region,
            string: range.clone(),
            replaced,
            by,
        });
    };
    let stride = stride.max(range.len().div_ceil(OFFSETS));
    for at in range.clone().step_by(stride) {
        for bit in [0x01, 0x20, 0x80] {
            edit(at..at + 1, vec![envelope[at] ^ bit]);
        }
        for length in [1, 4] {
            edit(at..(at + length).min(range.end), Vec::new());
        }
        // At a region's first byte it is between two, and then in the string of the two.
        if region != Region::Syntax || at != range.start || at == 0 {
            for more in [&b"A"[..], b" ", b"\"", b"AAAA"] {
                edit(at..at, more.to_vec());
            }
        }
    }
    if region != Region::Syntax {
        for more in [&b"A"[..], b" ", b"\"", b"AAAA"] {
            edit(range.end..range.end, more.to_vec());
        }
    }
}

impl Edit {
    fn apply(&self, envelope: &[u8]) -> Vec<u8> {
        let (before, after) = (
            &envelope[..self.replaced.start],
            &envelope[self.replaced.end..],
        );
        [before, &self.by, after].concat()
    }

    fn expected(&self, envelope: &[u8], form: &Form) -> Outcome {
        let (start, end) = (self.string.start, self.string.end);
        let string = [
            &envelope[start..self.replaced.start.max(start)],
            &self.by,
            &envelope[self.replaced.end.min(end).max(start)..end],
        ]
        .concat();
        match self.region {
            Region::Syntax => MALFORMED,
            Region::Payload if is_base64(&string) => form.other_payload,
            Region::PayloadType if is_string(&string) => Outcome::Refused("envelope.payload-type"),
            Region::KeyId if is_key_id(&string) => Outcome::Refused("trust.threshold"),
            Region::Signature if is_base64(&string) && string.len() == 88 => {
                Outcome::Refused("signature.invalid")
            }
            _ => MALFORMED,
        }
    }
}

/// Standard base64 with padding, and no other spelling of the same bytes.
fn is_base64(string: &[u8]) -> bool {
    BASE64
        .decode(string)
        .is_ok_and(|bytes| BASE64.encode(bytes).as_bytes() == string)
}

/// Returns true for text that may stand between two quotes.
fn is_string(string: &[u8]) -> bool {
    let quoted = [b"\"", string, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).is_ok()
}

fn is_key_id(string: &[u8]) -> bool {
    let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    string.len() == 64 && string.iter().all(is_hex)
}
