//! Writes what the fuzz targets of the host begin with: `fuzz_seeds DIR` makes a folder for each, with
//! components, manifests and guests' answers that are right, and what differs from them where a reader has
//! to look.

#![allow(clippy::unwrap_used, reason = "whoever runs this reads why it failed")]

use std::fs;
use std::path::Path;

use ampoule_tests::{wat_guest, wat_guest_with};
use serde_json::{Value, json};

fn main() {
    let out = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "fuzz/corpus".to_owned());
    let out = Path::new(&out);
    write(out, "component", &components());
    write(out, "bundle", &bundles());
    write(out, "lifting", &answers());
}

fn write(out: &Path, target: &str, files: &[(String, Vec<u8>)]) {
    fs::create_dir_all(out.join(target)).unwrap();
    for (name, bytes) in files {
        fs::write(out.join(target).join(name), bytes).unwrap();
    }
}

/// Guests that are refused for different reasons, and some that are not.
fn components() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = [
        "answers_wildly",
        "abuses_generations",
        "answers_with_its_input",
        "abuses_pollables",
        "exports_other_types",
        "imports_empty_interface",
        "imports_http",
        "imports_newer_log",
        "multiplies_instances",
        "sets_a_table",
        "starts_with_giant_memory",
        "uses_exceptions",
        "uses_gc",
        "uses_memory64",
        "uses_shared_memory",
        "grows_many_memories",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), wat_guest(name)))
    .collect();
    let whole = wat_guest("answers_wildly");
    files.push(("cut".to_owned(), whole[..whole.len() / 2].to_vec()));
    files.push(("header".to_owned(), whole[..8].to_vec()));
    files.push((
        "nested".to_owned(),
        wat_guest_with(
            "answers_wildly",
            r#"(component (component (core module) (core module (memory 9))) (import "a" (func)))"#,
        ),
    ));
    files.push((
        "custom_section".to_owned(),
        wat_guest_with("answers_wildly", r#"(@custom "name" "nonsense")"#),
    ));
    files.push(("core_module".to_owned(), b"\0asm\x01\0\0\0".to_vec()));
    files
}

/// A component's number, and a manifest with places for its length and digest.
fn bundles() -> Vec<(String, Vec<u8>)> {
    let good = json!({
        "schema": 1,
        "publisher": "acme",
        "name": "test",
        "version": "1.0.0",
        "release": 1,
        "created": "2026-01-01T00:00:00Z",
        "contract": "ampoule:model@0.1.0",
        "tasks": ["text-embedding"],
        "component": {
            "path": "component.wasm", "size": "@size", "digest": { "sha256": "@digest" },
        },
        "files": [{
            "path": "config.json", "size": "@file-size", "digest": { "sha256": "@file-digest" },
        }],
        "capabilities": [],
        "limits": {
            "memory_bytes": 67_108_864,
            "fuel": 1_000_000,
            "deadline_ms": 2_000,
            "output_bytes": 1_048_576,
            "init": { "memory_bytes": 134_217_728, "fuel": 2_000_000, "deadline_ms": 4_000 },
        },
        "annotations": {},
    });
    let changed = |name: &str, component: u8, pointer: &str, value: Value| {
        let mut manifest = good.clone();
        *manifest.pointer_mut(pointer).unwrap() = value;
        (name.to_owned(), input(component, &manifest))
    };
    let tasks = json!(["text-generation"]);
    let mut files = vec![
        ("good".to_owned(), input(0, &good)),
        changed("generation", 1, "/tasks", tasks.clone()),
        changed("task_not_exported", 0, "/tasks", tasks),
        changed("task_unknown", 0, "/tasks/0", json!("mind-reading")),
        changed("imports_http", 2, "/name", json!("web")),
        changed("no_component", 3, "/name", json!("nothing")),
        changed("capped", 0, "/name", json!("capped")),
        changed("another_publisher", 0, "/publisher", json!("globex")),
        changed(
            "another_contract",
            0,
            "/contract",
            json!("ampoule:model@0.2.0"),
        ),
        changed("a_capability", 0, "/capabilities", json!(["gpu"])),
        changed(
            "component_is_the_file",
            0,
            "/component/path",
            json!("config.json"),
        ),
        changed("file_missing", 0, "/files/0/path", json!("weights.bin")),
        changed("file_of_another_length", 0, "/files/0/size", json!(3)),
        changed(
            "endless_deadline",
            0,
            "/limits/deadline_ms",
            json!(u64::MAX),
        ),
        changed("endless_fuel", 0, "/limits/fuel", json!(u64::MAX)),
        changed("endless_output", 0, "/limits/output_bytes", json!(u64::MAX)),
        changed("little_fuel", 0, "/limits/init/fuel", json!(1)),
        changed("little_memory", 0, "/limits/memory_bytes", json!(1)),
        changed("little_output", 0, "/limits/output_bytes", json!(1)),
        changed("little_time", 0, "/limits/init/deadline_ms", json!(1)),
        changed(
            "endless_init",
            0,
            "/limits/init/deadline_ms",
            json!(u64::MAX),
        ),
    ];
    let mut expired = good.clone();
    expired["not_after"] = json!("2026-01-02T00:00:00Z");
    files.push(("expired".to_owned(), input(0, &expired)));
    files
}

fn input(component: u8, manifest: &Value) -> Vec<u8> {
    // Lengths are numbers.
    let text = manifest.to_string().replace("\"@size\"", "@size");
    let text = text.replace("\"@file-size\"", "@file-size");
    [&[component], text.as_bytes()].concat()
}

/// What is asked, how much of it, and the guest's memory from its beginning on: where the answer is, what is
/// logged, where the answers of `next` are, and from byte 32 on what they consist of.
fn answers() -> Vec<(String, Vec<u8>)> {
    const TOKENIZE: u8 = 0;
    const EMBED_TEXTS: u8 = 1;
    const EMBED_IMAGES: u8 = 2;
    const CLASSIFY: u8 = 3;
    const GENERATE: u8 = 4;
    const LOAD: u8 = 5;
    let one = 1.0_f32.to_bits();
    let nan = f32::NAN.to_bits();
    let text = |text: &[u8; 4]| u32::from_le_bytes(*text);
    let answer = |task, count, words: &[u32]| {
        let memory = [&[32, 0, 0, 0, 0, 0, 0, 0], words].concat();
        guest(task, count, &memory)
    };
    let described = |words: &[u32]| guest(LOAD, 0, words);
    // Where the description begins, and its own first two words.
    let at = |word: u32| 8192 + 4 * word;
    let chunk = |words: &[u32]| {
        let memory = [&[32, 0, 0, 0, 40, 72, 0, 0, 0, 1], words].concat();
        guest(GENERATE, 0, &memory)
    };
    [
        ("tokens", answer(TOKENIZE, 1, &[0, 44, 1, 56, 2, 1, 7, 8])),
        (
            "tokens_of_two",
            answer(TOKENIZE, 2, &[0, 44, 2, 68, 1, 0, 68, 2, 1, 7, 8]),
        ),
        (
            "tokens_without_end",
            answer(TOKENIZE, 1, &[0, 44, 0x2000_0000]),
        ),
        (
            "tokens_of_the_same_bytes",
            answer(TOKENIZE, 3, &[0, 44, 3, 0, 40, 0, 0, 40, 0, 0, 40, 0]),
        ),
        (
            "vector",
            answer(EMBED_TEXTS, 1, &[0, 2, 64, 2, 4, 1, 3, 0, one, one]),
        ),
        (
            "vectors",
            answer(EMBED_TEXTS, 3, &[0, 1, 64, 3, 4, 3, 3, 0, one, one, one]),
        ),
        (
            "vector_that_is_no_number",
            answer(EMBED_TEXTS, 1, &[0, 1, 64, 1, 4, 1, 3, 0, nan]),
        ),
        (
            "vector_of_no_dimensions",
            answer(EMBED_TEXTS, 1, &[0, 0, 64, 0, 4, 1, 3, 0]),
        ),
        (
            "vector_unaligned",
            answer(EMBED_TEXTS, 1, &[0, 1, 65, 1, 4, 1, 3, 0]),
        ),
        (
            "vector_of_too_many_dimensions",
            answer(EMBED_TEXTS, 2, &[0, u32::MAX, 64, 2, 4, 2, 3, 0]),
        ),
        (
            "vector_too_large",
            answer(EMBED_TEXTS, 1, &[0, 0x6000, 64, 0x6000, 4, 1, 3, 0]),
        ),
        (
            "flag_that_is_neither",
            answer(EMBED_TEXTS, 1, &[0, 1, 64, 1, 68, 1, 3, 0, one, 7]),
        ),
        (
            "vector_of_a_picture",
            answer(EMBED_IMAGES, 1, &[0, 1, 56, 1, 3, 0, one]),
        ),
        (
            "vectors_of_pictures",
            answer(EMBED_IMAGES, 2, &[0, 1, 56, 2, 3, 0, one, one]),
        ),
        (
            "labels",
            answer(
                CLASSIFY,
                2,
                &[0, 44, 2, 68, 3, one, 69, 2, one, text(b"cat\0")],
            ),
        ),
        (
            "too_many_labels",
            answer(
                CLASSIFY,
                1,
                &[0, 44, 2, 68, 3, one, 69, 2, one, text(b"cat\0")],
            ),
        ),
        (
            "label_that_is_no_text",
            answer(
                CLASSIFY,
                1,
                &[0, 44, 1, 56, 3, one, text(b"\xff\xfe\xed\xa0")],
            ),
        ),
        (
            "label_without_score",
            answer(CLASSIFY, 1, &[0, 44, 1, 56, 3, nan, text(b"cat\0")]),
        ),
        (
            "refusal",
            answer(
                EMBED_TEXTS,
                1,
                &[
                    1,
                    56,
                    9,
                    52,
                    4,
                    text(b"\x1b[2J"),
                    text(b"inpu"),
                    text(b"t.ab"),
                    text(b"c\0\0\0"),
                ],
            ),
        ),
        (
            "failure",
            answer(
                CLASSIFY,
                1,
                &[1, 52, 7, 52, 4, text(b"mode"), text(b"l.ab")],
            ),
        ),
        (
            "failure_beyond_memory",
            answer(CLASSIFY, 1, &[1, 52, 7, 0x2_ffff, 4]),
        ),
        ("no_such_case", answer(TOKENIZE, 1, &[2])),
        ("answer_beyond_memory", guest(TOKENIZE, 1, &[0x3_0000])),
        ("answer_unaligned", guest(TOKENIZE, 1, &[3])),
        (
            "message",
            guest(
                EMBED_TEXTS,
                1,
                &[
                    32,
                    2,
                    64,
                    4,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    4,
                    1,
                    0,
                    0,
                    text(b"\x1b\n\ta"),
                ],
            ),
        ),
        ("message_of_no_level", guest(CLASSIFY, 1, &[32, 9, 64, 4])),
        (
            "message_too_long",
            guest(CLASSIFY, 1, &[32, 1, 0, 0x1_8000, 0, 0, 0, 0, 0, 0, 0]),
        ),
        (
            "message_beyond_memory",
            guest(CLASSIFY, 1, &[32, 1, u32::MAX, 4]),
        ),
        (
            "chunks",
            chunk(&[
                0,
                1,
                104,
                4,
                0,
                0,
                0,
                0,
                0,
                1,
                104,
                3,
                1,
                105,
                2,
                9,
                text(b"cats"),
            ]),
        ),
        (
            "chunk_without_end",
            guest(
                GENERATE,
                0,
                &[32, 0, 0, 0, 40, 40, 40, 40, 0, 1, 0, 1, 36, 1, 0, 0, 0, 0],
            ),
        ),
        ("no_chunk", chunk(&[0, 0])),
        ("chunk_failure", chunk(&[1, 60, 3, 60, 3, text(b"a.b\0")])),
        (
            "no_such_handle",
            guest(GENERATE, 0, &[32, 0, 0, 0, 0, 0, 0, 0, 0, 7]),
        ),
        (
            "no_generation",
            guest(
                GENERATE,
                0,
                &[
                    32,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    1,
                    52,
                    7,
                    52,
                    4,
                    text(b"mode"),
                    text(b"l.ab"),
                ],
            ),
        ),
        (
            "description",
            described(&[
                0,
                at(2),
                at(10),
                4,
                at(6),
                1,
                at(10),
                2,
                at(10),
                4,
                text(b"bert"),
            ]),
        ),
        (
            "description_of_wild_properties",
            described(&[
                0,
                at(2),
                at(10),
                4,
                at(6),
                2,
                at(4),
                2,
                at(10),
                4,
                text(b"bert"),
            ]),
        ),
        (
            "description_of_control_characters",
            described(&[0, at(2), at(6), 4, 0, 0, text(b"\x1b[2J")]),
        ),
        (
            "init_fails",
            described(&[at(2), 0, 1, at(7), 4, at(7), 4, text(b"mode")]),
        ),
        ("init_of_no_case", described(&[at(2), 0, 3])),
        ("description_beyond_memory", described(&[0, 0x2_fffc])),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .collect()
}

fn guest(task: u8, count: u8, words: &[u32]) -> Vec<u8> {
    let memory = words.iter().flat_map(|word| word.to_le_bytes());
    [task, count].into_iter().chain(memory).collect()
}
