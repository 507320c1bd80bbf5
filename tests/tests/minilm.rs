//! all-MiniLM-L6-v2, with its real weights and tokenizer, in a sandbox: right answers, and clear
//! errors for broken files.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, and prints what it measured"
)]

use std::sync::LazyLock;
use std::time::Duration;

use ampoule::{ByteSize, Capability, Host, Limits, Model, SandboxStart};
use ampoule_signing::TrustStore;
use ampoule_tests::{
    BundleBuilder, Publisher, WrittenBundle, ampoule, block_on, host_with_limits, largest_snapshot,
    minilm, minilm_weights, workspace_file,
};
use serde::Deserialize;
use serde_json::{Value, json};

const FILES: [&str; 8] = [
    "1_Pooling/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// The longest input in tokens, from `sentence_bert_config.json`; there are 512 positions.
const MAX_TOKENS: usize = 256;

/// A sentence, and its embedding by `tests/parity/reference.py`.
struct Sentence {
    name: String,
    text: String,
    expected: Reference,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    truncated: bool,
    ids: Vec<u32>,
    embedding: Vec<f64>,
}

#[derive(Deserialize)]
struct Text {
    name: String,
    text: String,
}

fn parity(name: &str) -> Value {
    let path = workspace_file("tests/parity").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn sentences() -> Vec<Sentence> {
    let texts: Vec<Text> = serde_json::from_value(parity("sentences.json")).unwrap();
    let mut reference = parity("reference.json");
    let references: Vec<Reference> = serde_json::from_value(reference["sentences"].take()).unwrap();
    assert_eq!(texts.len(), references.len());
    texts
        .into_iter()
        .zip(references)
        .map(|(text, expected)| {
            assert_eq!(text.name, expected.name);
            Sentence {
                name: text.name,
                text: text.text,
                expected,
            }
        })
        .collect()
}

fn bundle(publisher: &Publisher, change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> BundleBuilder<'_> {
    let mut bundle = publisher
        .bundle(minilm())
        .tasks(&["text-embedding", "text-tokenization"])
        .set("/limits/memory_bytes", json!(512 << 20))
        .set("/limits/fuel", json!(600_000_000_000_u64))
        .set("/limits/deadline_ms", json!(300_000))
        .set("/limits/init/memory_bytes", json!(512 << 20))
        .set("/limits/init/fuel", json!(600_000_000_000_u64))
        .set("/limits/init/deadline_ms", json!(60_000));
    for name in FILES {
        let bytes = std::fs::read(minilm_weights().join(name)).unwrap();
        bundle = bundle.file(name, change(name, bytes));
    }
    bundle
}

/// Makes a host with limits for thirty sentences in one request on a busy machine.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.deadline = Duration::from_secs(300);
    limits.fuel = ampoule::Fuel::new(600_000_000_000);
    limits.text_chars = 100_000;
    limits
}

/// The model as it was published, loaded once for all tests here.
static MODEL: LazyLock<Loaded> = LazyLock::new(|| {
    let publisher = Publisher::new("acme");
    let bundle = bundle(&publisher, |_, bytes| bytes).write();
    let host = host_with_limits(&publisher, limits());
    let model = block_on(host.load(bundle.path())).unwrap();
    Loaded {
        publisher,
        bundle,
        model,
        _host: host,
    }
});

struct Loaded {
    publisher: Publisher,
    bundle: WrittenBundle,
    model: Model,
    _host: Host,
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn embeddings_are_those_of_the_reference() {
    let sentences = sentences();
    assert!(sentences.len() >= 30);
    // A command line cannot carry a zero byte; that sentence goes through the library below.
    let (passable, other): (Vec<_>, Vec<_>) = sentences
        .iter()
        .partition(|sentence| !sentence.text.contains('\0') && sentence.text != "-");
    let trust = tempfile::tempdir().unwrap();
    TrustStore::update(trust.path(), |store| {
        store.insert(MODEL.publisher.public_key().clone(), ["acme"])
    })
    .unwrap();
    let output = ampoule()
        .args([
            "embed",
            "--json",
            "--timeout",
            "300s",
            "--text-chars",
            "100000",
        ])
        .args(["--fuel", "600000000000", "--model"])
        .arg(MODEL.bundle.path())
        .arg("--trust")
        .arg(trust.path())
        .arg("--")
        .args(passable.iter().map(|sentence| &sentence.text))
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{document}");
    let tokens: usize = passable
        .iter()
        .map(|sentence| sentence.expected.ids.len())
        .sum();
    assert_eq!(document["usage"]["input_tokens"], tokens);

    let mut lowest = f64::INFINITY;
    let mut check = |sentence: &Sentence, embedding: &[f64], truncated: bool| {
        let cosine = cosine(embedding, &sentence.expected.embedding);
        assert!(cosine >= 0.9999, "{}: {cosine}", sentence.name);
        assert_eq!(truncated, sentence.expected.truncated, "{}", sentence.name);
        lowest = lowest.min(cosine);
    };
    for (index, sentence) in passable.iter().enumerate() {
        let embedding: Vec<f64> =
            serde_json::from_value(document["embeddings"][index].clone()).unwrap();
        let truncated = document["truncated"][index].as_bool().unwrap();
        check(sentence, &embedding, truncated);
    }
    for sentence in other {
        let answer = block_on(MODEL.model.embed_text(&[&sentence.text])).unwrap();
        let embedding: Vec<f64> = answer.output.values.iter().map(|v| f64::from(*v)).collect();
        check(sentence, &embedding, answer.output.truncated[0]);
    }
    println!("{} sentences, lowest cosine {lowest:.9}", sentences.len());
}

/// Loads the same model with its linear layers computed by the host.
static HOSTED: LazyLock<(Model, Host)> = LazyLock::new(|| {
    let publisher = Publisher::new("acme");
    let bundle = bundle(&publisher, |_, bytes| bytes)
        .set("/capabilities", json!(["host-kernels"]))
        .write();
    let host = Host::builder()
        .trust(publisher.trust())
        .limits(limits())
        .allow(Capability::HostKernels)
        .build()
        .unwrap();
    let model = block_on(host.load(bundle.path())).unwrap();
    (model, host)
});

#[test]
fn embeddings_by_the_hosts_kernels_are_those_of_the_reference_and_of_the_sandbox() {
    let hosted = &HOSTED.0;
    assert!(hosted.uses_host_kernels());
    let sentences = sentences();
    let texts: Vec<&str> = sentences
        .iter()
        .map(|sentence| &sentence.text[..])
        .collect();
    let by_host = block_on(hosted.embed_text(&texts)).unwrap();
    let by_guest = block_on(MODEL.model.embed_text(&texts)).unwrap();
    let (mut lowest, mut farthest) = (f64::INFINITY, 0.0_f32);
    for (index, sentence) in sentences.iter().enumerate() {
        let vector =
            |output: &ampoule::TextEmbeddings| output.vectors().nth(index).unwrap().to_vec();
        let (host, guest) = (vector(&by_host.output), vector(&by_guest.output));
        let wide: Vec<f64> = host.iter().map(|value| f64::from(*value)).collect();
        let cosine = cosine(&wide, &sentence.expected.embedding);
        assert!(cosine >= 0.9999, "{}: {cosine}", sentence.name);
        lowest = lowest.min(cosine);
        for (host, guest) in host.iter().zip(&guest) {
            farthest = farthest.max((host - guest).abs());
        }
    }
    assert!(farthest <= 1e-4, "{farthest}");
    let (host, guest) = (by_host.sandbox.fuel.get(), by_guest.sandbox.fuel.get());
    println!(
        "lowest cosine {lowest:.9}, farthest {farthest:.2e}; fuel {host}, in the sandbox {guest}"
    );
    // One manifest's limits do for both.
    assert!(host <= guest, "{host} {guest}");
}

#[test]
fn matrices_that_the_host_has_packed_are_not_in_the_sandboxes_memory_and_count_all_the_same() {
    let hosted = &HOSTED.0;
    let (SandboxStart::Snapshot { memory: with }, SandboxStart::Snapshot { memory: without }) =
        (hosted.sandbox_start(), MODEL.model.sandbox_start())
    else {
        panic!("{:?}", hosted.sandbox_start());
    };
    let packed = hosted.packed_bytes().bytes();
    // Six layers of 12 · 384² weights; the word embeddings stay.
    assert!(
        (6 * 12 * 384 * 384 * 4..48 << 20).contains(&packed),
        "{packed}"
    );
    assert!(
        with.bytes() + (40 << 20) < without.bytes(),
        "{with} {without}"
    );
    let answer = block_on(hosted.embed_text(&["a cat sat"])).unwrap();
    let peak = answer.sandbox.peak_memory.bytes();
    assert!(peak >= packed + with.bytes(), "{peak}");
    assert_eq!(MODEL.model.packed_bytes(), ByteSize::default());
}

#[test]
fn weights_of_16_bits_give_nearly_the_same_embeddings() {
    assert_nearly_the_same("f16", 0.99999, 22 << 20);
}

#[test]
fn weights_of_8_bits_give_nearly_the_same_embeddings() {
    assert_nearly_the_same("int8", 0.995, 12 << 20);
}

#[test]
fn weights_of_4_bits_give_nearly_the_same_embeddings() {
    assert_nearly_the_same("int4", 0.8, 7 << 20);
}

/// Checks embeddings by weights of this type, computed in the sandbox and by the host, against those of the reference: their
/// cosine is `least` at least, and the host keeps `packed` bytes at most.
fn assert_nearly_the_same(weights: &str, least: f64, packed: u64) {
    let publisher = Publisher::new("acme");
    let settings = json!({ "weights": weights }).to_string();
    let bundle = bundle(&publisher, |_, bytes| bytes)
        .file("ampoule.json", settings.into_bytes())
        .set("/capabilities", json!(["host-kernels"]))
        .write();
    let host = || Host::builder().trust(publisher.trust()).limits(limits());
    let host = |kernels| match kernels {
        "the sandbox" => host(),
        _ => host().allow(Capability::HostKernels),
    };
    for kernels in ["the sandbox", "the host"] {
        let host = host(kernels).build().unwrap();
        let model = block_on(host.load(bundle.path())).unwrap();
        let nearest = least_cosine(&model);
        println!("{weights} by {kernels}: the least cosine is {nearest:.6}");
        assert!(nearest >= least, "{weights} by {kernels}: {nearest}");
        // What the host keeps is of so many bits as well.
        assert!(model.packed_bytes() <= ByteSize::from_bytes(packed));
    }
}

/// Returns the least cosine of a model's embeddings with those of the reference, for thirty sentences. Those as long as the
/// model reads have three quarters of all tokens, and two of them stand for the others.
fn least_cosine(model: &Model) -> f64 {
    let (mut few, long): (Vec<_>, Vec<_>) = sentences()
        .into_iter()
        .partition(|sentence| sentence.expected.ids.len() < MAX_TOKENS / 2);
    few.extend(long.into_iter().take(2));
    assert!(few.len() >= 30, "{}", few.len());
    let texts: Vec<&str> = few.iter().map(|s| s.text.as_str()).collect();
    let answer = block_on(model.embed_text(&texts)).unwrap().output;
    let found = answer.vectors().zip(&few).map(|(found, sentence)| {
        let found: Vec<f64> = found.iter().map(|&x| f64::from(x)).collect();
        cosine(&found, &sentence.expected.embedding)
    });
    found.fold(1.0, f64::min)
}

#[test]
fn token_ids_are_those_of_the_reference() {
    let sentences = sentences();
    let texts: Vec<&str> = sentences
        .iter()
        .map(|sentence| &sentence.text[..])
        .collect();
    let answer = block_on(MODEL.model.tokenize(&texts)).unwrap();
    for (tokens, sentence) in answer.output.iter().zip(&sentences) {
        assert_eq!(tokens.ids, sentence.expected.ids, "{}", sentence.name);
        assert_eq!(
            tokens.is_truncated, sentence.expected.truncated,
            "{}",
            sentence.name
        );
    }
}

#[test]
fn texts_are_cut_where_their_publishers_library_cuts_them() {
    let sentences = sentences();
    let long: Vec<&Sentence> = sentences
        .iter()
        .filter(|sentence| sentence.expected.ids.len() >= MAX_TOKENS - 1)
        .collect();
    let texts: Vec<&str> = long.iter().map(|sentence| &sentence.text[..]).collect();
    let tokens = block_on(MODEL.model.tokenize(&texts)).unwrap().output;
    let vectors = block_on(MODEL.model.embed_text(&texts)).unwrap().output;
    let mut fits = 0;
    for (index, (sentence, vector)) in long.iter().zip(vectors.vectors()).enumerate() {
        let name = &sentence.name;
        let truncated = sentence.expected.truncated;
        assert_eq!(tokens[index].ids, sentence.expected.ids, "{name}");
        assert!(tokens[index].ids.len() <= MAX_TOKENS, "{name}");
        assert_eq!(tokens[index].is_truncated, truncated, "{name}");
        assert_eq!(vectors.truncated[index], truncated, "{name}");
        let vector: Vec<f64> = vector.iter().map(|value| f64::from(*value)).collect();
        let cosine = cosine(&vector, &sentence.expected.embedding);
        assert!(cosine >= 0.9999, "{name}: {cosine}");
        fits += usize::from(!truncated);
    }
    // One too short, one that just fits, one that has one too many, and longer ones of several kinds.
    assert!(fits == 2 && long.len() >= 8, "{fits} {}", long.len());
}

#[test]
fn a_checkpoint_with_old_names_is_pooled_at_its_first_token_where_it_says_so() {
    let publisher = Publisher::new("acme");
    let bundle = bundle(&publisher, |name, bytes| match name {
        "1_Pooling/config.json" => json!({
            "word_embedding_dimension": 384, "pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false,
        })
        .to_string()
        .into_bytes(),
        "model.safetensors" => {
            let length = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let header = String::from_utf8(bytes[8..length].to_vec()).unwrap();
            // Of the same length, so that all else stays in its place.
            let old = header
                .replace("LayerNorm.weight\"", "LayerNorm.gamma\" ")
                .replace("LayerNorm.bias\"", "LayerNorm.beta\"");
            assert!(old.len() == header.len() && old != header);
            let mut bytes = bytes;
            bytes[8..length].copy_from_slice(old.as_bytes());
            bytes
        }
        _ => bytes,
    })
    .write();
    let host = host_with_limits(&publisher, limits());
    let model = block_on(host.load(bundle.path())).unwrap();
    let expected: Value = parity("reference.json")["first_token"].take();
    let sentences = sentences();
    let sentence = sentences
        .iter()
        .find(|sentence| sentence.name == expected["name"])
        .unwrap();
    let answer = block_on(model.embed_text(&[&sentence.text]))
        .unwrap()
        .output;
    let found: Vec<f64> = answer
        .values
        .iter()
        .map(|value| f64::from(*value))
        .collect();
    let expected: Vec<f64> = serde_json::from_value(expected["embedding"].clone()).unwrap();
    let by_first = cosine(&found, &expected);
    let by_mean = cosine(&found, &sentence.expected.embedding);
    println!("cosine {by_first:.9} to the first token's, {by_mean:.3} to the mean's");
    assert!(by_first >= 0.9999 && by_mean < 0.99);
}

#[test]
fn a_texts_embedding_does_not_depend_on_the_others() {
    let alone = block_on(MODEL.model.embed_text(&["a cat sat"])).unwrap();
    let batch = block_on(
        MODEL
            .model
            .embed_text(&["something much longer", "a cat sat"]),
    )
    .unwrap();
    assert_eq!(alone.output.values, batch.output.vectors().nth(1).unwrap());
}

#[test]
fn embeddings_are_unit_vectors() {
    let answer = block_on(MODEL.model.embed_text(&["a cat sat", ""])).unwrap();
    assert_eq!(answer.output.dimensions, 384);
    for vector in answer.output.vectors() {
        let norm: f32 = vector.iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 1e-4, "{norm}");
    }
}

#[test]
fn the_model_says_what_it_is() {
    let info = MODEL.model.info();
    assert_eq!(info.architecture, "bert");
    for (key, value) in [
        ("text.max-tokens", "256"),
        ("embedding.dimensions", "384"),
        ("text.vocabulary", "30522"),
    ] {
        let found = info.properties.iter().find(|(name, _)| name == key);
        assert_eq!(found.unwrap().1, value);
    }
}

#[test]
fn sandboxes_begin_with_the_packed_weights_and_little_else() {
    let info = MODEL.model.info();
    let weights = info
        .properties
        .iter()
        .find(|(key, _)| key == "weights.bytes");
    let weights: u64 = weights.unwrap().1.parse().unwrap();
    // 22.7 million numbers of four bytes in the file; the pooler's 147,840 are of no use here.
    assert!((90_200_000..91_000_000).contains(&weights), "{weights}");
    let SandboxStart::Snapshot { memory } = MODEL.model.sandbox_start() else {
        panic!("{:?}", MODEL.model.sandbox_start());
    };
    println!("{} bytes of weights in a snapshot of {memory}", weights);
    assert!(memory.bytes() <= largest_snapshot(weights), "{memory}");
}

#[test]
fn broken_files_are_named_at_load() {
    let publisher = Publisher::new("acme");
    let host = host_with_limits(&publisher, limits());
    let replace = |which: &'static str, with: fn(Vec<u8>) -> Vec<u8>| {
        move |name: &str, bytes: Vec<u8>| if name == which { with(bytes) } else { bytes }
    };
    type Case = (&'static str, fn(Vec<u8>) -> Vec<u8>, &'static str);
    let cases: [Case; 10] = [
        (
            "model.safetensors",
            |bytes| bytes[..bytes.len() / 2].to_vec(),
            "model.weights",
        ),
        (
            "model.safetensors",
            |bytes| bytes[..100].to_vec(),
            "model.weights",
        ),
        ("model.safetensors", |_| vec![0xff; 64], "model.weights"),
        ("tokenizer.json", |_| b"{}".to_vec(), "model.tokenizer"),
        (
            "tokenizer.json",
            |bytes| bytes[..bytes.len() - 9].to_vec(),
            "model.tokenizer",
        ),
        ("config.json", |_| b"not json".to_vec(), "model.config"),
        (
            "config.json",
            |bytes| {
                let text = String::from_utf8(bytes).unwrap();
                text.replace("\"hidden_size\": 384", "\"hidden_size\": 385")
                    .into_bytes()
            },
            "model.",
        ),
        (
            "modules.json",
            |bytes| {
                let text = String::from_utf8(bytes).unwrap();
                text.replace("models.Pooling", "models.CNN").into_bytes()
            },
            "sentence_transformers.models.CNN",
        ),
        (
            "1_Pooling/config.json",
            |_| b"{\"pooling_mode\": \"attention\"}".to_vec(),
            "attention",
        ),
        (
            "config.json",
            |bytes| {
                let text = String::from_utf8(bytes).unwrap();
                text.replace("\"absolute\"", "\"relative_key\"")
                    .into_bytes()
            },
            "position_embedding_type",
        ),
    ];
    for (file, with, code) in cases {
        let bundle = bundle(&publisher, replace(file, with)).write();
        let error = block_on(host.load(bundle.path())).err().unwrap();
        assert_eq!(error.code(), "guest.error", "{file}: {error}");
        assert!(error.to_string().contains(code), "{file}: {error}");
    }
}

#[test]
fn a_missing_file_is_named_at_load() {
    let publisher = Publisher::new("acme");
    let host = host_with_limits(&publisher, limits());
    let bundle = publisher
        .bundle(minilm())
        .tasks(&["text-embedding", "text-tokenization"])
        .write();
    let error = block_on(host.load(bundle.path())).err().unwrap();
    assert_eq!(error.code(), "guest.error", "{error}");
    assert!(error.to_string().contains("config.json"), "{error}");
}

#[test]
fn a_model_too_large_for_strict_limits_is_refused_by_them() {
    let mut strict = Limits::strict();
    strict.deadline = Duration::from_secs(300);
    strict.fuel = ampoule::Fuel::new(600_000_000_000);
    assert_eq!(strict.memory, ByteSize::from_mib(100));
    let host = host_with_limits(&MODEL.publisher, strict);
    let error = block_on(host.load(MODEL.bundle.path())).err().unwrap();
    assert_eq!(error.code(), "admission.limit", "{error}");
}

#[test]
fn the_bundle_that_the_readme_names_answers() {
    let output = ampoule()
        .args(["embed", "--json", "--model"])
        .arg(workspace_file("target/demo/minilm"))
        .arg("--trust")
        .arg(workspace_file("target/demo/trust"))
        .arg("Hello")
        .output()
        .unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{document}");
    assert_eq!(document["embeddings"][0].as_array().unwrap().len(), 384);
}
