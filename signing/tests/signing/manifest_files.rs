//! Files in a manifest: paths, sizes, digests.

use ampoule_signing::Sha256Digest;
use serde_json::{Value, json};

use crate::manifest::{assert_refused, parse, with};

#[test]
fn paths_that_leave_the_bundle_or_hide_something_are_refused() {
    for path in [
        "..",
        "../x",
        "a/../../x",
        "/x",
        "\\x",
        "a\\b",
        "a//b",
        "a/",
        "",
        ".",
        "./x",
        "a\u{0}b",
        "a\nb",
        "a\u{1b}[2Jb",
        "\u{202e}x",
        "é",
        "ampoule.dsse.json",
        "AMPOULE.DSSE.JSON",
        "C:x",
        "x.",
        "x ",
    ] {
        for pointer in ["/component/path", "/files/0/path"] {
            assert_refused(&with(pointer, json!(path)), "manifest.path", "path");
        }
    }
    let longest = "a".repeat(255);
    parse(&with(
        "/files/0/path",
        json!(format!("{longest}/{longest}")),
    ))
    .unwrap();
    let too_long = format!("a/{}", "a".repeat(256));
    assert_refused(
        &with("/files/0/path", json!(too_long)),
        "manifest.path",
        "255",
    );
}

#[test]
fn paths_that_collide_are_refused() {
    for path in ["component.wasm", "Component.WASM", "EMPTY", "empty"] {
        assert_refused(&with("/files/0/path", json!(path)), "manifest.path", "once");
    }
}

#[test]
fn a_path_below_a_file_is_refused() {
    for path in [
        "empty/x",
        "EMPTY/x/y",
        "component.wasm/x",
        "ampoule.dsse.json/x",
    ] {
        assert_refused(&with("/files/0/path", json!(path)), "manifest.path", "path");
    }
    for path in ["empty-/x", "empt/x", "x/empty", "a/empty"] {
        parse(&with("/files/0/path", json!(path))).unwrap();
    }
}

#[test]
fn a_digest_has_exactly_one_form_and_as_many_chunks_as_the_size_says() {
    let digest = Sha256Digest::of(b"").to_string();
    let chunks = |size: u64, count: usize| json!({ "sha256_chunks": { "chunk_size": size, "digests": vec![digest.clone(); count] } });
    parse(&with("/files/0/digest", chunks(5, 1))).unwrap();
    parse(&with("/files/0/digest", chunks(1, 5))).unwrap();
    for (size, count) in [
        (4, 1),
        (4, 3),
        (5, 0),
        (5, 2),
        (1, 4),
        (9_007_199_254_740_991, 2),
    ] {
        assert_refused(
            &with("/files/0/digest", chunks(size, count)),
            "manifest.field",
            "digests",
        );
    }
    let mut both = chunks(4, 2);
    both["sha256"] = json!(digest);
    assert_refused(&with("/files/0/digest", both), "manifest.field", "either");
    assert_refused(
        &with("/files/0/digest", json!({})),
        "manifest.field",
        "either",
    );
    for text in [
        digest.to_uppercase(),
        digest[1..].to_owned(),
        format!("sha256:{digest}"),
    ] {
        let wrong = json!({ "sha256": text });
        assert_refused(
            &with("/files/0/digest", wrong),
            "manifest.field",
            "hexadecimal",
        );
    }
}

#[test]
fn sizes_that_overflow_are_refused() {
    // Each is a legal number; 2^53 − 1 of them would be needed to overflow a u64 in one file, so
    // many files do it.
    let digest = Sha256Digest::of(b"").to_string();
    let files: Vec<Value> = (0..2049)
        .map(|index| {
            json!({ "path": format!("f{index}"), "size": (1u64 << 53) - 1, "digest": { "sha256": digest } })
        })
        .collect();
    assert_refused(&with("/files", json!(files)), "manifest.field", "files");
}
