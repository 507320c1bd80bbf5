//! The signatures of a document, as a list: none, too few, twice, by strangers, by weak keys, under other
//! names, in other spellings. Of all that only the order, and strangers beside the right ones, changes
//! nothing.

use ampoule_signing::{MAX_SIGNATURES, Sha256Digest};
use curve25519_dalek::constants::EIGHT_TORSION;

use super::document::Document;
use super::signer::{Entry, Signer, key_id};
use super::tally::{Outcome, Tally};
use crate::ed25519_edge_cases::{ORDER, with_larger_s};

/// Times that L can be added to S: 2^256 is almost 16 times L.
const LARGER: usize = 14;

const ACCEPTED: Outcome = Outcome::Accepted;
const MALFORMED: Outcome = Outcome::Refused("envelope.malformed");
const MISSING: Outcome = Outcome::Refused("signature.missing");
const INVALID: Outcome = Outcome::Refused("signature.invalid");
const TOO_FEW: Outcome = Outcome::Refused("trust.threshold");
const UNKNOWN: Outcome = Outcome::Refused("trust.unknown-key");

/// A list, how it ends, and what is done to it.
type Row = (Vec<Entry>, Outcome, String);

pub(super) fn tamper(document: &Document, tally: &mut Tally) {
    let payload = document.payload();
    let signed = Sha256Digest::of(&payload);
    let mut rows = whole_lists(document, &payload);
    for place in 0..2 {
        rows.extend(one_entry(document, &payload, place));
    }
    for (entries, expected, what) in rows {
        let envelope = document.envelope(&payload, &entries);
        for form in &document.forms {
            tally.row(
                document.place(form, "signature lists"),
                expected,
                signed,
                (form.open)(&envelope),
                || what.clone(),
            );
        }
    }
}

/// Somebody nobody here has heard of.
fn strangers(document: &Document, payload: &[u8], count: u8) -> Vec<Entry> {
    (100..100 + count)
        .map(|number| Signer::new(number).sign(document.payload_type, payload))
        .collect()
}

/// Signatures that need no private key: for points of low order, R = the neutral element and S = 0 fit
/// one message in eight at least.
fn by_weak_keys() -> Vec<Entry> {
    let mut forged = [0; 64];
    forged[0] = 1;
    EIGHT_TORSION
        .iter()
        .map(|point| {
            let keyid = key_id(&point.compress().to_bytes());
            let sig = String::new();
            Entry { keyid, sig }.with_signature(&forged)
        })
        .collect()
}

fn whole_lists(document: &Document, payload: &[u8]) -> Vec<Row> {
    let good = document.sign(payload);
    let [one, other] = [&good[0], &good[1]].map(Clone::clone);
    let strangers = strangers(document, payload, MAX_SIGNATURES as u8);
    let weak = by_weak_keys();
    let mut rows: Vec<Row> = vec![
        (vec![], MISSING, "nobody's".to_owned()),
        (good.clone(), ACCEPTED, "as it was".to_owned()),
        (
            vec![other.clone(), one.clone()],
            ACCEPTED,
            "another order".to_owned(),
        ),
        (
            vec![one.with_key_id(&other.keyid), other.with_key_id(&one.keyid)],
            INVALID,
            "key ids swapped".to_owned(),
        ),
    ];
    for count in 1..=MAX_SIGNATURES {
        let only = strangers[..count].to_vec();
        rows.push((only, UNKNOWN, format!("{count} strangers")));
    }
    for count in 1..=weak.len() {
        rows.push((
            weak[..count].to_vec(),
            UNKNOWN,
            format!("{count} weak keys"),
        ));
    }
    // Strangers, and weak keys, beside those who have to sign, wherever they stand.
    for more in [&strangers[..1], &weak[..1], &weak[..]] {
        for place in 0..=good.len() {
            let mut list = good.clone();
            list.splice(place..place, more.to_vec());
            let what = format!("{} others at {place}", more.len());
            rows.push((list, ACCEPTED, what));
        }
    }
    for (count, expected) in [
        (MAX_SIGNATURES - 2, ACCEPTED),
        (MAX_SIGNATURES - 1, MALFORMED),
    ] {
        let list = [&good[..], &strangers[..count]].concat();
        rows.push((list, expected, format!("{count} strangers more")));
    }
    rows
}

/// Changes the entry at `place`; the other stays as it is.
fn one_entry(document: &Document, payload: &[u8], place: usize) -> Vec<Row> {
    let good = document.sign(payload);
    let entry = &good[place];
    let mut rows: Vec<Row> = Vec::new();
    let mut left_out = good.clone();
    left_out.remove(place);
    rows.push((left_out, TOO_FEW, format!("without {place}")));
    for at in 0..=good.len() {
        let mut twice = good.clone();
        twice.insert(at, entry.clone());
        rows.push((twice, MALFORMED, format!("{place} again at {at}")));
    }
    // The key once more, with a signature that it could have made too: still one key.
    let mut twice = good.clone();
    twice.push(entry.with_signature(&[7; 64]));
    rows.push((
        twice,
        MALFORMED,
        format!("{place} again, another signature"),
    ));

    let mut replace = |by: Entry, expected, what: String| {
        let mut list = good.clone();
        list[place] = by;
        rows.push((list, expected, format!("{what} at {place}")));
    };
    let stranger = &strangers(document, payload, 1)[0];
    replace(stranger.clone(), TOO_FEW, "a stranger".to_owned());
    replace(
        entry.with_key_id(&stranger.keyid),
        TOO_FEW,
        "a stranger's name".to_owned(),
    );
    let of_stranger = stranger.with_key_id(&entry.keyid);
    replace(of_stranger, INVALID, "a stranger's signature".to_owned());
    for (number, weak) in by_weak_keys().into_iter().enumerate() {
        replace(
            entry.with_key_id(&weak.keyid),
            TOO_FEW,
            format!("weak name {number}"),
        );
        replace(
            weak.with_key_id(&entry.keyid),
            INVALID,
            format!("weak signature {number}"),
        );
        replace(weak, TOO_FEW, format!("weak key {number}"));
    }

    // Spellings of the same signature, and signatures that are almost it.
    let signature = entry.signature();
    for times in 1..=LARGER {
        let larger = with_larger_s(&signature, times);
        replace(
            entry.with_signature(&larger),
            INVALID,
            format!("S + {times}L"),
        );
    }
    for byte in 0..64 {
        let mut flipped = signature;
        flipped[byte] ^= 1 << (byte % 8);
        let what = format!("a bit of byte {byte}");
        replace(entry.with_signature(&flipped), INVALID, what);
    }
    let mut parts = vec![([0; 32], "zeros"), ([0xff; 32], "ones"), (ORDER, "L")];
    parts.extend(EIGHT_TORSION.map(|point| (point.compress().to_bytes(), "a low order")));
    for (part, name) in parts {
        for (half, letter) in [(0..32, 'R'), (32..64, 'S')] {
            let mut other = signature;
            other[half].copy_from_slice(&part);
            replace(
                entry.with_signature(&other),
                INVALID,
                format!("{letter} = {name}"),
            );
        }
    }
    for (bytes, what) in [(&[0; 64][..], "zeros"), (&[0xff; 64], "ones")] {
        replace(entry.with_signature(bytes), INVALID, what.to_owned());
    }
    for (length, bytes) in [(0, &[][..]), (63, &signature[1..]), (32, &signature[32..])] {
        replace(
            entry.with_signature(bytes),
            MALFORMED,
            format!("{length} bytes"),
        );
    }
    let longer = [&signature[..], &[0]].concat();
    replace(
        entry.with_signature(&longer),
        MALFORMED,
        "65 bytes".to_owned(),
    );

    // A right signature over something else.
    let signer = &document.signers[place];
    for (payload_type, payload, what) in [
        ("application/vnd.in-toto+json", payload, "another type"),
        ("", payload, "no type"),
        (document.payload_type, &payload[1..], "another payload"),
        (document.payload_type, &[][..], "no payload"),
    ] {
        replace(signer.sign(payload_type, payload), INVALID, what.to_owned());
    }

    // Names that are no name.
    let id = &entry.keyid;
    for (name, what) in [
        (String::new(), "no name"),
        (id[1..].to_owned(), "a short name"),
        (format!("{id}0"), "a long name"),
        (id.to_uppercase(), "a name in capitals"),
        (format!("sha256:{id}"), "a name with a prefix"),
        (format!(" {}", &id[1..]), "a name with a blank"),
    ] {
        replace(entry.with_key_id(&name), MALFORMED, what.to_owned());
    }
    rows
}
