//! A manifest obeys all of its rules, or it is refused with the field named.

use ampoule_signing::{
    ByteSize, FileDigest, Fuel, MAX_MANIFEST_BYTES, Manifest, Result, Sha256Digest,
};
use serde_json::{Value, json};

pub(crate) fn good() -> Value {
    let digest = Sha256Digest::of(b"").to_string();
    json!({
        "schema": 1,
        "publisher": "acme",
        "name": "minilm",
        "version": "1.2.3-rc.1",
        "release": 7,
        "created": "2026-11-22T10:00:00Z",
        "not_after": "2027-11-22T10:00:00Z",
        "contract": "ampoule:model@0.1.0",
        "tasks": ["text-embedding"],
        "component": { "path": "component.wasm", "size": 10, "digest": { "sha256": digest } },
        "files": [
            { "path": "a/b.bin", "size": 5, "digest": { "sha256_chunks": { "chunk_size": 4, "digests": [digest, digest] } } },
            { "path": "empty", "size": 0, "digest": { "sha256_chunks": { "chunk_size": 4, "digests": [] } } }
        ],
        "capabilities": [],
        "limits": {
            "memory_bytes": 1048576, "fuel": 9_007_199_254_740_991_u64, "deadline_ms": 5000, "output_bytes": 100,
            "init": { "memory_bytes": 2097152, "fuel": 2, "deadline_ms": 60000 }
        },
        "annotations": { "training.data": "none\nat all" },
        "license": "MIT",
        "source": "here",
        "description": "two\nlines, ümlauts"
    })
}

pub(crate) fn parse(manifest: &Value) -> Result<Manifest> {
    Manifest::parse(manifest.to_string().as_bytes())
}

/// Refused with this code, and the message names the field.
#[track_caller]
pub(crate) fn assert_refused(manifest: &Value, code: &str, field: &str) {
    let error = parse(manifest).expect_err("it must be refused");
    assert_eq!(error.code(), code, "{error}");
    assert!(
        error.to_string().contains(field),
        "{field:?} is not in {error}"
    );
}

/// A manifest with one place replaced or one field added.
pub(crate) fn with(pointer: &str, value: Value) -> Value {
    let mut manifest = good();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = manifest.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => other[name] = value,
    }
    manifest
}

#[test]
fn a_manifest_says_what_stands_in_it() {
    let manifest = parse(&good()).unwrap();
    assert_eq!(manifest.publisher(), "acme");
    assert_eq!(manifest.name(), "minilm");
    assert_eq!(manifest.version().to_string(), "1.2.3-rc.1");
    assert_eq!(manifest.release(), 7);
    assert_eq!(manifest.created().to_string(), "2026-11-22T10:00:00Z");
    assert_eq!(
        manifest.not_after().unwrap().to_string(),
        "2027-11-22T10:00:00Z"
    );
    assert_eq!(manifest.contract(), ampoule_signing::CONTRACT);
    assert_eq!(manifest.tasks(), ["text-embedding"]);
    assert_eq!(manifest.component().path(), "component.wasm");
    assert_eq!(manifest.component().size(), ByteSize::from_bytes(10));
    assert_eq!(
        *manifest.component().digest(),
        FileDigest::Sha256(Sha256Digest::of(b""))
    );
    assert_eq!(manifest.files().len(), 2);
    assert!(manifest.capabilities().is_empty());
    let limits = manifest.limits();
    assert_eq!(limits.request.memory, ByteSize::from_mib(1));
    assert_eq!(limits.request.fuel, Fuel::new((1 << 53) - 1));
    assert_eq!(limits.request.deadline.as_millis(), 5000);
    assert_eq!(limits.output, ByteSize::from_bytes(100));
    assert_eq!(limits.init.memory, ByteSize::from_mib(2));
    assert_eq!(limits.init.fuel, Fuel::new(2));
    assert_eq!(limits.init.deadline.as_secs(), 60);
    assert_eq!(manifest.annotations()["training.data"], "none\nat all");
    assert_eq!(manifest.license(), Some("MIT"));
    assert_eq!(manifest.source(), Some("here"));
    assert_eq!(manifest.description(), Some("two\nlines, ümlauts"));
}

#[test]
fn a_manifest_round_trips_through_its_own_json() {
    let manifest = parse(&good()).unwrap();
    assert_eq!(
        Manifest::parse(manifest.to_json().unwrap().as_bytes()).unwrap(),
        manifest
    );
    assert_eq!(serde_json::to_value(&manifest).unwrap(), good());
}

#[test]
fn optional_fields_may_be_left_out_but_not_be_null() {
    for name in ["not_after", "license", "source", "description"] {
        let mut manifest = good();
        manifest.as_object_mut().unwrap().remove(name);
        parse(&manifest).unwrap();
        assert_refused(
            &with(&format!("/{name}"), Value::Null),
            "manifest.field",
            name,
        );
    }
}

#[test]
fn every_other_field_must_be_there() {
    fn walk(manifest: &Value, pointer: &str, pointers: &mut Vec<String>) {
        if let Value::Object(members) = manifest.pointer(pointer).unwrap() {
            for name in members.keys() {
                pointers.push(format!("{pointer}/{name}"));
                if pointer != "/annotations" {
                    walk(manifest, &format!("{pointer}/{name}"), pointers);
                }
            }
        }
    }
    let mut pointers = Vec::new();
    walk(&good(), "", &mut pointers);
    walk(&good(), "/files/0", &mut pointers);
    assert!(pointers.len() > 30, "{pointers:?}");
    for pointer in pointers {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        if [
            "not_after",
            "license",
            "source",
            "description",
            "training.data",
        ]
        .contains(&name)
        {
            continue;
        }
        let mut manifest = good();
        manifest
            .pointer_mut(parent)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(name);
        // Without its one digest, the field that is incomplete is `digest`.
        let named = if name.starts_with("sha256") {
            "digest"
        } else {
            name
        };
        assert_refused(&manifest, "manifest.field", named);
    }
}

#[test]
fn unknown_fields_are_refused_at_every_level() {
    for parent in [
        "",
        "/component",
        "/component/digest",
        "/files/0",
        "/files/0/digest/sha256_chunks",
        "/limits",
        "/limits/init",
    ] {
        assert_refused(
            &with(&format!("{parent}/extra"), json!(1)),
            "manifest.field",
            "extra",
        );
    }
}

#[test]
fn repeated_keys_are_refused_at_every_level() {
    let text = good().to_string();
    for (name, again) in [
        ("\"schema\"", "\"schema\":1,\"schema\""),
        ("\"fuel\"", "\"fuel\":1,\"fuel\""),
        ("\"chunk_size\"", "\"chunk_size\":4,\"chunk_size\""),
        ("\"path\"", "\"path\":\"x\",\"path\""),
        (
            "\"training.data\"",
            "\"training.data\":\"\",\"training.data\"",
        ),
        (
            "\"training.data\"",
            "\"training\\u002edata\":\"\",\"training.data\"",
        ),
    ] {
        let twice = text.replacen(name, again, 1);
        assert_ne!(twice, text);
        let error = Manifest::parse(twice.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "manifest.malformed", "{again}");
        assert!(error.to_string().contains("twice"), "{error}");
    }
}

#[test]
fn numbers_are_whole_and_fit_a_double() {
    for number in [
        "9007199254740992",
        "18446744073709551615",
        "1e3",
        "1.0",
        "-1",
        "1.5",
        "-0",
    ] {
        let text = good()
            .to_string()
            .replace("\"release\":7", &format!("\"release\":{number}"));
        let error = Manifest::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "manifest.malformed", "{number}");
    }
    assert_refused(&with("/release", json!("7")), "manifest.field", "release");
}

#[test]
fn limits_and_release_are_above_zero() {
    for pointer in [
        "/release",
        "/limits/memory_bytes",
        "/limits/fuel",
        "/limits/deadline_ms",
        "/limits/output_bytes",
        "/limits/init/memory_bytes",
        "/limits/init/fuel",
        "/limits/init/deadline_ms",
        "/component/size",
        "/files/0/digest/sha256_chunks/chunk_size",
    ] {
        let name = pointer.rsplit_once('/').unwrap().1;
        assert_refused(&with(pointer, json!(0)), "manifest.field", name);
    }
}

#[test]
fn a_structure_is_an_object_never_an_array() {
    let component = good()["component"].clone();
    let listed = json!([component["path"], component["size"], component["digest"]]);
    assert_refused(&with("/component", listed), "manifest.field", "component");
    assert_eq!(
        Manifest::parse(b"[1]").unwrap_err().code(),
        "manifest.field"
    );
    assert_eq!(
        Manifest::parse(b"null").unwrap_err().code(),
        "manifest.field"
    );
}

#[test]
fn bytes_after_the_manifest_are_refused_and_white_space_is_not() {
    let text = good().to_string();
    Manifest::parse(format!("{text}\n").as_bytes()).unwrap();
    for more in ["x", "{}", "\0", "\n\u{feff}"] {
        let error = Manifest::parse(format!("{text}{more}").as_bytes()).unwrap_err();
        assert_eq!(error.code(), "manifest.malformed", "{more:?}");
    }
}

#[test]
fn a_manifest_over_one_mebibyte_is_refused() {
    let mut text = good().to_string();
    text.push_str(&" ".repeat(MAX_MANIFEST_BYTES - text.len()));
    Manifest::parse(text.as_bytes()).unwrap();
    text.push(' ');
    assert_eq!(
        Manifest::parse(text.as_bytes()).unwrap_err().code(),
        "manifest.too-large"
    );
}

#[test]
fn names_use_one_alphabet() {
    for name in [
        "",
        "Acme",
        "-acme",
        "acme-",
        "ac me",
        "ac/me",
        "acmé",
        "асме",
        &"a".repeat(65),
    ] {
        assert_refused(
            &with("/publisher", json!(name)),
            "manifest.field",
            "publisher",
        );
        assert_refused(&with("/name", json!(name)), "manifest.field", "name");
    }
    for task in [
        "",
        "Text",
        "text_embedding",
        "text-",
        "ampoule:model/text-embedding",
    ] {
        assert_refused(&with("/tasks/0", json!(task)), "manifest.field", "tasks[0]");
    }
    assert_refused(&with("/tasks", json!([])), "manifest.field", "tasks");
    assert_refused(&with("/tasks", json!(["a", "a"])), "manifest.field", "once");
    assert_refused(
        &with("/capabilities", json!(["x", "x"])),
        "manifest.field",
        "once",
    );
    assert_refused(
        &with("/capabilities", json!("x")),
        "manifest.field",
        "capabilities",
    );
    let many: Vec<String> = (0..33).map(|index| format!("t{index}")).collect();
    assert_refused(&with("/tasks", json!(many)), "manifest.field", "tasks");
}

#[test]
fn a_contract_of_another_version_is_read_for_a_host_to_decide_on() {
    for (contract, minor) in [
        ("ampoule:model@0.1.0", 1),
        ("ampoule:model@0.2.0", 2),
        ("ampoule:model@7.9.1-rc.1", 9),
    ] {
        let manifest = parse(&with("/contract", json!(contract))).unwrap();
        assert_eq!(manifest.contract(), contract);
        assert_eq!(manifest.contract_version().version().minor, minor);
        assert_eq!(
            serde_json::to_value(&manifest).unwrap()["contract"],
            contract
        );
    }
}

#[test]
fn schema_contract_version_and_times_have_one_spelling() {
    assert_refused(&with("/schema", json!(2)), "manifest.field", "newer");
    for contract in [
        "ampoule:model",
        "ampoule:model@",
        "ampoule:model@0.1",
        "ampoule:model@00.1.0",
        " ampoule:model@0.1.0",
        "ampoule:models@0.1.0",
        "wasi:cli@0.2.0",
        "",
    ] {
        assert_refused(
            &with("/contract", json!(contract)),
            "manifest.field",
            "contract",
        );
    }
    for version in ["1", "1.0", "v1.0.0", "1.0.0 ", "01.0.0", ""] {
        assert_refused(
            &with("/version", json!(version)),
            "manifest.field",
            "version",
        );
    }
    for time in [
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-11-22T10:00:00+00:00",
        "2026-11-22 10:00:00Z",
        "2026-11-22t10:00:00z",
        "2026-11-22T10:00:00.000Z",
        "2026-11-22T12:00:00+02:00[Europe/Paris]",
        "2026-13-01T00:00:00Z",
        "2026-11-22T10:00:60Z",
        "",
    ] {
        assert_refused(&with("/created", json!(time)), "manifest.field", "created");
        assert_refused(
            &with("/not_after", json!(time)),
            "manifest.field",
            "not_after",
        );
    }
    assert_refused(
        &with("/not_after", json!("2026-11-22T10:00:00Z")),
        "manifest.field",
        "after",
    );
}

#[test]
fn texts_hold_nothing_that_a_terminal_obeys() {
    for text in ["\u{1b}[2J", "\u{7}", "a\r\nb", "\u{0}", "\u{9b}2J"] {
        for pointer in [
            "/license",
            "/source",
            "/description",
            "/annotations/training.data",
        ] {
            assert_refused(&with(pointer, json!(text)), "manifest.field", "control");
        }
    }
    assert_refused(
        &with("/license", json!("a\nb")),
        "manifest.field",
        "control",
    );
    for key in ["", "a b", "é", "\u{1b}", &"a".repeat(129)] {
        assert_refused(
            &with("/annotations", json!({ key: "x" })),
            "manifest.field",
            "annotations",
        );
    }
    assert_refused(
        &with("/annotations/x", json!(1)),
        "manifest.field",
        "annotations.x",
    );
    assert_refused(
        &with("/annotations/x", json!({ "y": "z" })),
        "manifest.field",
        "annotations.x",
    );
}
