//! An envelope has one spelling; every other is refused.

use ampoule_signing::{
    Envelope, MAX_ENVELOPE_BYTES, MAX_MANIFEST_BYTES, MAX_SIGNATURES, PAYLOAD_TYPE, SecretKey, pae,
};

fn envelope() -> (Envelope, String) {
    let key = SecretKey::generate().unwrap();
    let envelope = Envelope::sign(b"{\"a\":1}".to_vec(), &[&key]).unwrap();
    let text = String::from_utf8(envelope.to_bytes().unwrap()).unwrap();
    (envelope, text)
}

#[track_caller]
fn refusal(text: &str) -> &'static str {
    Envelope::parse(text.as_bytes())
        .expect_err("it must be refused")
        .code()
}

#[test]
fn an_envelope_round_trips_byte_for_byte() {
    let (envelope, text) = envelope();
    let parsed = Envelope::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed, envelope);
    assert_eq!(parsed.payload(), b"{\"a\":1}");
    assert_eq!(parsed.payload_type(), PAYLOAD_TYPE);
    assert!(
        text.starts_with(r#"{"payload":"eyJhIjoxfQ==","payloadType":""#),
        "{text}"
    );
}

#[test]
fn the_pre_authentication_encoding_is_that_of_the_dsse_specification() {
    // The specification's own example.
    assert_eq!(
        pae("http://example.com/HelloWorld", b"hello world"),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    // Lengths are in bytes.
    assert_eq!(pae("é", "ü\n".as_bytes()), "DSSEv1 2 é 3 ü\n".as_bytes());
}

#[test]
fn the_signature_is_over_the_pre_authentication_encoding() {
    let key = SecretKey::generate().unwrap();
    let envelope = Envelope::sign(b"payload".to_vec(), &[&key]).unwrap();
    let signature = &envelope.signatures()[0];
    assert_eq!(signature.key_id(), key.public_key().key_id());
    assert!(
        key.public_key()
            .verify(&pae(PAYLOAD_TYPE, b"payload"), signature.signature())
    );
    assert!(!key.public_key().verify(b"payload", signature.signature()));
    assert_eq!(envelope.pae(), pae(PAYLOAD_TYPE, b"payload"));
}

#[test]
fn another_spelling_of_the_same_envelope_is_refused() {
    let (_, text) = envelope();
    let reordered = {
        let (payload, rest) = text[1..].split_once(',').unwrap();
        let (payload_type, signatures) = rest.split_once(',').unwrap();
        format!("{{{payload_type},{payload},{signatures}")
    };
    for (what, other) in [
        (
            "white space",
            text.replace(",\"payloadType", ", \"payloadType"),
        ),
        ("a line end", format!("{text}\n")),
        (
            "an escape in a value",
            text.replace("vnd.ampoule", "vnd\\u002eampoule"),
        ),
        (
            "an escaped slash",
            text.replace("application/", "application\\/"),
        ),
        (
            "an escape in a name",
            text.replace("\"payload\"", "\"p\\u0061yload\""),
        ),
        ("another order", reordered),
        ("an unknown field", text.replacen('{', "{\"x\":1,", 1)),
        (
            "an unknown field of a signature",
            text.replace("{\"keyid", "{\"x\":1,\"keyid"),
        ),
        (
            "a field twice",
            text.replacen("{\"payload\"", "{\"payload\":\"\",\"payload\"", 1),
        ),
        ("an upper-case key id", uppercase_key_id(&text)),
        (
            "base64 without padding",
            text.replace("eyJhIjoxfQ==", "eyJhIjoxfQ"),
        ),
        (
            "base64 with other padding bits",
            text.replace("eyJhIjoxfQ==", "eyJhIjoxfR=="),
        ),
        (
            "base64 of URLs",
            text.replace("eyJhIjoxfQ==", "eyJhIjox-Q=="),
        ),
        (
            "base64 with a line end",
            text.replace("eyJhIjoxfQ==", "eyJhI\\njoxfQ=="),
        ),
        ("an array for the object", array_form(&text)),
        ("nothing", String::new()),
        ("null", "null".to_owned()),
    ] {
        assert_ne!(other, text, "{what}: the test changes nothing");
        assert_eq!(refusal(&other), "envelope.malformed", "{what}: {other}");
    }
}

fn uppercase_key_id(text: &str) -> String {
    let start = text.find("\"keyid\":\"").unwrap() + 9;
    let mut other = text.to_owned();
    other[start..start + 64].make_ascii_uppercase();
    other
}

/// serde would read a struct from an array as well; the canonical form does not know arrays.
fn array_form(text: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    serde_json::json!([json["payload"], json["payloadType"], json["signatures"]]).to_string()
}

#[test]
fn signatures_of_the_wrong_length_are_refused() {
    let (_, text) = envelope();
    let start = text.find("\"sig\":\"").unwrap() + 7;
    let end = start + text[start..].find('"').unwrap();
    for sig in [
        "",
        "AAAA",
        &text[start..end - 4],
        &format!("AAAA{}", &text[start..end]),
    ] {
        let other = format!("{}{sig}{}", &text[..start], &text[end..]);
        assert_eq!(refusal(&other), "envelope.malformed", "{sig:?}");
    }
}

#[test]
fn a_signature_counts_once_for_each_key() {
    let (_, text) = envelope();
    let start = text.find("[{").unwrap() + 1;
    let signature = &text[start..text.len() - 2];
    let twice = format!("{},{signature}]}}", &text[..text.len() - 2]);
    assert_eq!(refusal(&twice), "envelope.malformed");
    let key = SecretKey::generate().unwrap();
    assert!(Envelope::sign(Vec::new(), &[&key, &key]).is_err());
}

#[test]
fn signatures_may_stand_in_any_order_and_there_is_an_end_to_them() {
    let keys: Vec<SecretKey> = (0..=MAX_SIGNATURES)
        .map(|_| SecretKey::generate().unwrap())
        .collect();
    let all: Vec<&SecretKey> = keys.iter().collect();
    assert!(Envelope::sign(Vec::new(), &all).is_err());
    let most = Envelope::sign(Vec::new(), &all[1..])
        .unwrap()
        .to_bytes()
        .unwrap();
    assert_eq!(
        Envelope::parse(&most).unwrap().signatures().len(),
        MAX_SIGNATURES
    );
    let text = String::from_utf8(most).unwrap();
    let start = text.find("[{").unwrap() + 1;
    let (first, rest) = text[start..text.len() - 2].split_once("},").unwrap();
    let rotated = format!("{}{rest},{first}}}]}}", &text[..start]);
    Envelope::parse(rotated.as_bytes()).unwrap();
    let one_more = format!(
        "{},{{\"keyid\":\"{}\",{}]}}",
        &text[..text.len() - 2],
        "0".repeat(64),
        first
            .split_once(',')
            .map(|(_, sig)| format!("{sig}}}"))
            .unwrap()
    );
    assert_eq!(refusal(&one_more), "envelope.malformed");
}

#[test]
fn another_payload_type_is_refused() {
    let (_, text) = envelope();
    for other in [
        "application/vnd.in-toto+json",
        "",
        "application/vnd.ampoule.manifest.v2+json",
    ] {
        assert_eq!(
            refusal(&text.replace(PAYLOAD_TYPE, other)),
            "envelope.payload-type"
        );
    }
}

#[test]
fn the_longest_manifest_with_all_signatures_fits_and_more_is_refused() {
    let keys: Vec<SecretKey> = (0..MAX_SIGNATURES)
        .map(|_| SecretKey::generate().unwrap())
        .collect();
    let longest = Envelope::sign(
        vec![b' '; MAX_MANIFEST_BYTES],
        &keys.iter().collect::<Vec<_>>(),
    )
    .unwrap();
    let bytes = longest.to_bytes().unwrap();
    assert!(bytes.len() as u64 <= MAX_ENVELOPE_BYTES);
    Envelope::parse(&bytes).unwrap();
    let giant = vec![b' '; MAX_ENVELOPE_BYTES as usize + 1];
    assert_eq!(
        Envelope::parse(&giant).unwrap_err().code(),
        "envelope.too-large"
    );
}

#[test]
fn messages_do_not_pass_on_what_a_terminal_obeys() {
    let (_, text) = envelope();
    let hostile = text.replacen('{', "{\"\\u001b]0;title\\u0007\\u202e\":1,", 1);
    let message = Envelope::parse(hostile.as_bytes()).unwrap_err().to_string();
    assert!(
        message.chars().all(|c| !c.is_control() && c != '\u{202e}'),
        "{message:?}"
    );
    let long = text.replace(PAYLOAD_TYPE, &"x".repeat(100_000));
    assert!(
        Envelope::parse(long.as_bytes())
            .unwrap_err()
            .to_string()
            .len()
            < 500
    );
}
