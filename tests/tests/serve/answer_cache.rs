//! Answers that are kept for the tenants that asked.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ampoule_access::Role;
use ampoule_signing::{Timestamp, TrustStore};
use ampoule_tests::{
    Delivery, Operator, Place, Served, WrittenBundle, ampoule, assert_fails, picture_base64,
    test_guest, workspace_file,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::configuration::{release, wait_for};
use crate::guarded::{Answer, Guarded};
use crate::metrics::{scrape, sum};

/// Text of a key file.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

/// Longest time for anything.
const PATIENCE: Duration = Duration::from_secs(30);

static RUNNING: Mutex<Weak<Keeping>> = Mutex::new(Weak::new());

/// A server that keeps answers in memory. Beside others it serves `random`, whose vectors differ from call to call, and
/// `breaks-off`, whose generations do.
pub(crate) struct Keeping {
    pub(crate) server: Guarded,
    _bundles: [WrittenBundle; 2],
}

impl Keeping {
    /// Returns the server, and starts it where none runs. The last test that holds it ends it.
    pub(crate) fn get() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return server;
        }
        let operator = Operator::new();
        let bundles = [
            ("reads_clock_and_random", "text-embedding"),
            ("generation_fails_midway", "text-generation"),
        ];
        let bundles = bundles.map(|(guest, task)| {
            let bundle = operator.publisher().bundle(test_guest(guest));
            bundle
                .set("/name", json!(guest.replace('_', "-")))
                .tasks(&[task])
                .write()
        });
        let [random, breaks_off] = &bundles;
        let tables = format!(
            "[answer-cache]\n[[model]]\npath = {:?}\nname = \"random\"\n[[model]]\npath = {:?}\nname = \"breaks-off\"\n",
            random.path(),
            breaks_off.path(),
        );
        let server = Arc::new(Self {
            server: Guarded::start_with_tables(operator, &tables),
            _bundles: bundles,
        });
        *running = Arc::downgrade(&server);
        server
    }

    /// Makes a key of a tenant.
    fn key(&self, tenant: &str) -> String {
        key(&self.server, tenant)
    }
}

fn key(server: &Guarded, tenant: &str) -> String {
    server.key(Role::Infer, |key| key.tenant = tenant.parse().unwrap())
}

/// Asks for the vector of a text.
#[track_caller]
fn embed(server: &Guarded, key: &str, model: &str, text: &str) -> Answer {
    let body = json!({"model": model, "input": text}).to_string();
    server.ask("POST", "/v1/embeddings", &[key], &body)
}

/// Asserts that an answer was, or was not, kept from an earlier request.
#[track_caller]
fn assert_cache(answer: &Answer, cache: &str) {
    assert_eq!(
        (answer.status, answer.header("x-ampoule-cache")),
        (200, cache),
        "{answer:?}"
    );
}

/// Returns an answer without what no two answers have alike: ids, times, and the cost of sandboxes.
fn comparable(body: &str) -> Vec<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| {
                    let differs = ["id", "created", "created_at", "item_id", "sandboxes"];
                    !differs.contains(&name.as_str()) && !name.ends_with("_duration")
                });
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let pieces = body
        .lines()
        .map(|line| line.strip_prefix("data: ").unwrap_or(line));
    let pieces = pieces.filter_map(|piece| serde_json::from_str(piece).ok());
    let mut pieces: Vec<Value> = pieces.collect();
    pieces.iter_mut().for_each(strip);
    assert!(!pieces.is_empty(), "{body}");
    pieces
}

/// Requests whose answer is determined: of each family and task, streamed and not.
fn determined() -> Vec<(&'static str, Value)> {
    let many: Vec<String> = (0..40).map(|index| format!("text {index}")).collect();
    let said = json!([{"role": "user", "content": "one two three four"}]);
    let red = json!({"width": 1, "height": 1, "pixels": "/wAA"});
    let tensor = |name: &str, value: Value| json!({"name": name, "datatype": "BYTES", "shape": [1], "data": [value]});
    vec![
        (
            "/v1/embeddings",
            json!({"model": "every-task", "input": "floats"}),
        ),
        (
            "/v1/embeddings",
            json!({"model": "every-task", "input": "bytes", "encoding_format": "base64"}),
        ),
        (
            "/v1/embeddings",
            json!({"model": "every-task", "input": many, "encoding_format": "base64"}),
        ),
        (
            "/api/embed",
            json!({"model": "every-task", "input": ["a", "b"]}),
        ),
        ("/embed?model=every-task", json!({"inputs": "of tei"})),
        (
            "/v2/models/every-task/infer",
            json!({"inputs": [tensor("texts", json!("of the protocol"))]}),
        ),
        (
            "/ampoule/v1/models/every-task/text-embedding",
            json!({"texts": ["of our own", "x".repeat(600)]}),
        ),
        (
            "/ampoule/v1/models/every-task/image-embedding",
            json!({"images": [red]}),
        ),
        (
            "/ampoule/v1/models/every-task/image-classification",
            json!({"image": red, "top_k": 2}),
        ),
        (
            "/ampoule/v1/models/tiny-vlm/image-classification",
            json!({"image": picture_base64()}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "every-task", "messages": said}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "every-task", "messages": said, "temperature": 1.0, "seed": 7, "n": 3}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "every-task", "messages": said, "max_tokens": 2, "stream": true}),
        ),
        (
            "/v1/responses",
            json!({"model": "every-task", "input": "one two", "stream": true}),
        ),
        (
            "/api/chat",
            json!({"model": "every-task", "messages": [{"role": "user", "content": "a b c"}]}),
        ),
        (
            "/ampoule/v1/models/every-task/text-generation",
            json!({"prompt": "three words here", "stream": true}),
        ),
        (
            "/v2/models/every-task/infer",
            json!({"inputs": [tensor("prompt", json!("p q r"))]}),
        ),
    ]
}

#[test]
fn a_kept_answer_is_the_first_one_in_each_form_of_each_family() {
    let keeping = Keeping::get();
    let key = keeping.key("forms");
    for (path, body) in determined() {
        let ask = || keeping.server.ask("POST", path, &[&key], &body.to_string());
        let (first, again) = (ask(), ask());
        assert_cache(&first, "miss");
        assert_cache(&again, "hit");
        assert_eq!(
            comparable(&first.body),
            comparable(&again.body),
            "{path} {body}"
        );
    }
}

#[test]
fn a_kept_vector_is_the_first_one_to_the_bit_though_the_model_would_give_another() {
    let keeping = Keeping::get();
    let server = &keeping.server;
    let (key, other) = (keeping.key("bits"), keeping.key("other-bits"));
    for (index, format) in ["float", "base64"].into_iter().enumerate() {
        let inputs = [format!("a{index}"), format!("b{index}")];
        let body = json!({"model": "random", "input": inputs, "encoding_format": format});
        let ask = |key: &str| server.ask("POST", "/v1/embeddings", &[key], &body.to_string());
        let (first, again, others) = (ask(&key), ask(&key), ask(&other));
        assert_cache(&first, "miss");
        assert_cache(&again, "hit");
        assert_cache(&others, "miss");
        assert_eq!(first.body, again.body);
        assert_ne!(first.body, others.body, "the model's answers differ");
    }
}

#[test]
fn tenants_share_no_answer_and_the_keys_of_one_tenant_do() {
    let keeping = Keeping::get();
    let server = &keeping.server;
    let keys = ["one", "one", "two"].map(|tenant| keeping.key(tenant));
    let [first, second, other] = keys.map(|key| embed(server, &key, "random", "shared?"));
    assert_cache(&first, "miss");
    assert_cache(&second, "hit");
    assert_cache(&other, "miss");
    assert_eq!(first.body, second.body);
    assert_ne!(first.body, other.body);
}

#[test]
fn a_request_that_differs_in_anything_that_counts_finds_no_answer() {
    let keeping = Keeping::get();
    let key = keeping.key("differs");
    let path = "/ampoule/v1/models/every-task/text-embedding";
    let ask = |body: Value| keeping.server.ask("POST", path, &[&key], &body.to_string());
    for body in [
        json!({"texts": ["a"]}),
        json!({"texts": ["A"]}),
        json!({"texts": ["a "]}),
        json!({"texts": ["a"], "limits": {"fuel": 1_000_000_000}}),
        json!({"texts": ["a"], "limits": {"deadline_ms": 2_500}}),
        json!({"texts": ["a"], "limits": {"memory_bytes": 16_777_216}}),
    ] {
        assert_cache(&ask(body.clone()), "miss");
        assert_cache(&ask(body), "hit");
    }
    let chat = |seed: u32| {
        let body = json!({
            "model": "every-task", "temperature": 1.0, "seed": seed,
            "messages": [{"role": "user", "content": "one two three four five six"}],
        });
        let answer = keeping
            .server
            .ask("POST", "/v1/chat/completions", &[&key], &body.to_string());
        assert_cache(&answer, "miss");
        comparable(&answer.body)
    };
    assert_ne!(chat(1), chat(2));
}

#[test]
fn answers_that_are_drawn_or_failed_or_counted_are_not_kept() {
    let keeping = Keeping::get();
    let server = &keeping.server;
    let key = keeping.key("undetermined");
    let said = json!([{"role": "user", "content": "one two three four five six seven eight"}]);
    let drawn = json!({"model": "every-task", "messages": said, "temperature": 1.0});
    let ask = |path: &str, body: &Value| server.ask("POST", path, &[&key], &body.to_string());
    for _ in 0..2 {
        let answer = ask("/v1/chat/completions", &drawn);
        assert_cache(&answer, "");
        let tokens = ask("/tokenize?model=every-task", &json!({"inputs": "a"}));
        assert_cache(&tokens, "");
    }
    let broken = json!({"model": "breaks-off", "messages": said});
    let streamed = json!({"model": "breaks-off", "messages": said, "stream": true});
    let encoded = json!({"image": picture_base64()});
    let classify = "/ampoule/v1/models/every-task/image-classification";
    for _ in 0..2 {
        for (path, body) in [
            ("/v1/chat/completions", &broken),
            ("/v1/chat/completions", &streamed),
            (classify, &encoded),
        ] {
            let answer = ask(path, body);
            assert_eq!(answer.header("x-ampoule-cache"), "miss", "{answer:?}");
            assert!(
                answer.status >= 400 || answer.body.contains("error"),
                "{answer:?}"
            );
        }
    }
}

#[test]
fn a_stream_that_its_reader_has_left_leaves_no_part_of_an_answer() {
    let keeping = Keeping::get();
    let key = keeping.key("leaves");
    let text = (0..1_000).map(|word| word.to_string());
    let text = text.collect::<Vec<_>>().join(" ");
    let path = "/ampoule/v1/models/every-task/text-generation";
    let body = json!({"prompt": text, "max_output_tokens": 2_000, "stream": true}).to_string();
    let mut stream = TcpStream::connect(keeping.server.served.address()).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {key}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut [0; 300]).unwrap();
    drop(stream);
    let whole = json!({"prompt": text, "max_output_tokens": 2_000}).to_string();
    for _ in 0..2 {
        let answer = keeping.server.ask("POST", path, &[&key], &whole);
        assert_eq!(answer.json()["text"], text, "{answer:?}");
    }
}

#[test]
fn a_hit_costs_the_caller_a_request_and_its_tokens_and_no_fuel() {
    let keeping = Keeping::get();
    let server = &keeping.server;
    let key = server.key(Role::Infer, |key| {
        key.tenant = "costs".parse().unwrap();
        key.rates.requests = Some("100/1h".parse().unwrap());
        key.rates.tokens = Some("1000/1h".parse().unwrap());
    });
    let text = "t".repeat(100);
    let miss = embed(server, &key, "every-task", &text);
    let hit = embed(server, &key, "every-task", &text);
    assert_cache(&miss, "miss");
    assert_cache(&hit, "hit");
    let left = |answer: &Answer, unit: &str| {
        let name = format!("x-ratelimit-remaining-{unit}");
        answer.header(&name).parse::<i64>().unwrap()
    };
    assert!(left(&hit, "requests") < left(&miss, "requests"));
    // A request is settled when it is over, which may be after its answer is read.
    wait_for("true", || {
        let after = server.ask("GET", "/v1/models", &[&key], "");
        let taken = left(&miss, "tokens") - left(&after, "tokens");
        (taken >= 200).to_string()
    });

    let id = |answer: &Answer| answer.header("x-request-id").to_owned();
    let line = |id: String| {
        let begun = Instant::now();
        loop {
            let log = server.log();
            let found = log
                .lines()
                .find(|line| line.contains(&id) && line.contains("ampoule::access"));
            if let Some(line) = found {
                return serde_json::from_str::<Value>(line).unwrap();
            }
            assert!(begun.elapsed() < PATIENCE, "{id}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let (miss, hit) = (line(id(&miss)), line(id(&hit)));
    assert_eq!(
        (&miss["cache"], &hit["cache"]),
        (&json!("miss"), &json!("hit"))
    );
    assert_eq!(hit["input_tokens"], 100, "{hit}");
    assert!(
        miss["fuel"].as_u64() > Some(0) && hit["fuel"].is_null(),
        "{miss} {hit}"
    );
}

#[test]
fn hits_misses_and_what_is_kept_are_counted() {
    let keeping = Keeping::get();
    let server = &keeping.server;
    let (key, metrics) = (keeping.key("counted"), server.key(Role::Metrics, |_| {}));
    let read = || {
        let text = server.ask("GET", "/metrics", &[&metrics], "").body;
        crate::metrics::series(&text)
    };
    let before = read();
    for _ in 0..3 {
        embed(server, &key, "random", "counted");
    }
    let after = read();
    let more = |name: &str, labels: &[&str]| sum(&after, name, labels) - sum(&before, name, labels);
    let random = &["model=\"random\""][..];
    assert!(more("ampoule_answers_hits_total", random) >= 2.0);
    assert!(more("ampoule_answers_misses_total", random) >= 1.0);
    assert!(more("ampoule_answers_kept_total", &[]) >= 1.0);
    assert!(sum(&after, "ampoule_answers_bytes", &[]) > 500.0);
    assert!(sum(&after, "ampoule_answers_entries", &[]) >= 1.0);
}

/// Makes a directory for its owner alone.
fn private_directory() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("answers");
    fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
    (parent, path)
}

/// Lists the files of answers.
fn files_in(path: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(path).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| !file.ends_with("lock")).collect()
}

#[test]
fn what_is_kept_goes_with_the_last_key_of_its_tenant_and_others_stay() {
    let (_parent, path) = private_directory();
    let tables = format!("[answer-cache]\ndirectory = {path:?}\n");
    let server = Guarded::start_with_tables(Operator::new(), &tables);
    let keys = ["gone", "gone", "stays"].map(|tenant| key(&server, tenant));
    for key in [&keys[0], &keys[2]] {
        assert_cache(&embed(&server, key, "every-task", "text"), "miss");
    }
    assert_eq!(files_in(&path).len(), 2);
    let revoke = |key: &str| {
        let name = key["Bearer amp_".len()..][..16].parse().unwrap();
        server.keys().revoke(&[name], Timestamp::now()).unwrap();
        server.wait_for(key, 401, true);
    };
    revoke(&keys[0]);
    assert_cache(&embed(&server, &keys[1], "every-task", "text"), "hit");
    assert_eq!(files_in(&path).len(), 2);
    revoke(&keys[1]);
    wait_for("1", || files_in(&path).len().to_string());
    assert_cache(&embed(&server, &keys[2], "every-task", "text"), "hit");
    assert_cache(
        &embed(&server, &key(&server, "gone"), "every-task", "text"),
        "miss",
    );
}

#[test]
fn what_is_kept_goes_with_its_release_and_with_the_trust_in_its_model() {
    let (parent, path) = private_directory();
    let operator = Operator::new();
    let mut place = Place::new(Delivery::Rename, &release(&operator, 1));
    let file = parent.path().join("ampoule.toml");
    let text = format!(
        "trust = {:?}\n[answer-cache]\ndirectory = {path:?}\n[[model]]\npath = {:?}\nname = \"m\"\n",
        operator.trust(),
        place.path(),
    );
    fs::write(&file, text).unwrap();
    let served = Served::start(ampoule().arg("--config").arg(&file), &[]);
    let ask = || {
        let answer = served.post("/v1/embeddings", &json!({"model": "m", "input": "x"}));
        let cache = answer.header("x-ampoule-cache").to_owned();
        match answer.status {
            200 => format!("{} {cache}", answer.json()["data"][0]["embedding"][0]),
            status => format!("{status} {cache}"),
        }
    };
    assert_eq!([ask(), ask()], ["1.0 miss", "1.0 hit"]);
    let first = files_in(&path);
    assert_eq!(first.len(), 1);
    place.put(&release(&operator, 2));
    // The first request to the new release may be one of those that wait for it.
    wait_for("2.0 hit", ask);
    wait_for("false", || first[0].exists().to_string());
    assert_eq!(files_in(&path).len(), 1);
    let key = operator.publisher().public_key().key_id();
    TrustStore::update(operator.trust(), |store| {
        store.remove(&key);
        Ok(())
    })
    .unwrap();
    wait_for("503 ", ask);
    wait_for("0", || files_in(&path).len().to_string());
}

#[test]
fn a_changed_entry_is_a_miss_with_the_right_answer_and_one_warning() {
    let (_parent, path) = private_directory();
    let tables = format!("[answer-cache]\ndirectory = {path:?}\n");
    let server = Guarded::start_with_tables(Operator::new(), &tables);
    let key = key(&server, "changed");
    let first = embed(&server, &key, "every-task", "text");
    for flipped in [0, 30, 60] {
        let files = files_in(&path);
        let mut bytes = fs::read(&files[0]).unwrap();
        bytes[flipped] ^= 1;
        fs::write(&files[0], bytes).unwrap();
        let answer = embed(&server, &key, "every-task", "text");
        assert_cache(&answer, "miss");
        assert_eq!(answer.body, first.body);
        assert_cache(&embed(&server, &key, "every-task", "text"), "hit");
    }
    let log = server.log();
    let warnings = log
        .lines()
        .filter(|line| line.contains("answers.unreadable"));
    let warnings: Vec<Value> = warnings
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(warnings.len(), 1, "one a minute: {warnings:?}");
    assert_eq!(warnings[0]["level"], "WARN");
    assert_eq!(warnings[0]["target"], "ampoule::answers");
}

#[test]
fn with_a_key_file_answers_outlive_the_server_and_without_one_they_do_not() {
    let (parent, path) = private_directory();
    let operator = Operator::new();
    let bundle = operator.good().write();
    let key = parent.path().join("key");
    fs::write(&key, KEY).unwrap();
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let file = parent.path().join("ampoule.toml");
    let start = |key: &str| {
        let text = format!(
            "trust = {:?}\n[answer-cache]\ndirectory = {path:?}\n{key}\n[[model]]\npath = {:?}\nname = \"m\"\n",
            operator.trust(),
            bundle.path(),
        );
        fs::write(&file, text).unwrap();
        Served::start(ampoule().arg("--config").arg(&file), &[])
    };
    let ask = |served: &Served| {
        let answer = served.post("/v1/embeddings", &json!({"model": "m", "input": "x"}));
        (answer.header("x-ampoule-cache").to_owned(), answer.body)
    };
    let with_key = format!("key-file = {key:?}");
    let served = start(&with_key);
    let first = ask(&served);
    assert_eq!(first.0, "miss");
    drop(served);
    let served = start(&with_key);
    let again = ask(&served);
    assert_eq!((again.0.as_str(), &again.1), ("hit", &first.1));
    drop(served);
    let served = start("");
    assert!(files_in(&path).is_empty(), "nobody can read them any more");
    assert_eq!(ask(&served).0, "miss");
}

#[test]
fn what_is_kept_stays_within_its_bounds() {
    let tables = "[answer-cache]\nbytes = \"1MiB\"\nage = \"2h\"\n";
    let server = Guarded::start_with_tables(Operator::new(), tables);
    let (key, metrics) = (key(&server, "bounds"), server.key(Role::Metrics, |_| {}));
    let ask = |index: usize| {
        let text = format!("{index:03}{}", "x".repeat(30_000));
        let body = json!({"prompt": text, "max_output_tokens": 9}).to_string();
        let path = "/ampoule/v1/models/every-task/text-generation";
        server.ask("POST", path, &[&key], &body)
    };
    for index in 0..50 {
        assert_cache(&ask(index), "miss");
        let text = server.ask("GET", "/metrics", &[&metrics], "").body;
        let bytes = sum(&crate::metrics::series(&text), "ampoule_answers_bytes", &[]);
        assert!((30_000.0..=1_048_576.0).contains(&bytes), "{bytes}");
    }
    assert_cache(&ask(49), "hit");
    assert_cache(&ask(0), "miss");
}

#[test]
fn wrong_settings_are_named_with_their_file_their_key_and_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ampoule.toml");
    let open = folder.path().join("open");
    fs::write(&open, KEY).unwrap();
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let short = folder.path().join("short");
    fs::write(&short, "0001").unwrap();
    fs::set_permissions(&short, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let with_key = |key: &Path| {
        format!(
            "directory = {:?}\nkey-file = {key:?}",
            folder.path().join("a")
        )
    };
    for (lines, code, status, line, key) in [
        (
            "bytes = \"1KiB\"".to_owned(),
            "usage.answer-cache",
            2,
            2,
            "bytes",
        ),
        (
            "bytes = \"2MiB\"\ntenant-bytes = \"3MiB\"".to_owned(),
            "usage.answer-cache",
            2,
            3,
            "tenant-bytes",
        ),
        (
            "age = \"31d\"".to_owned(),
            "usage.answer-cache",
            2,
            2,
            "age",
        ),
        ("age = \"soon\"".to_owned(), "usage.config", 2, 2, "age"),
        ("size = \"1MiB\"".to_owned(), "usage.config", 2, 2, "size"),
        (
            "key-file = \"k\"".to_owned(),
            "usage.setting",
            2,
            2,
            "key-file",
        ),
        (with_key(&open), "trust.permissions", 3, 3, "key-file"),
        (with_key(&short), "key.malformed", 3, 3, "key-file"),
        (
            "directory = \"/no/such/folder/a\"".to_owned(),
            "io.failed",
            8,
            2,
            "directory",
        ),
    ] {
        fs::write(&file, format!("[answer-cache]\n{lines}\n")).unwrap();
        let mut command = ampoule();
        command
            .args(["serve", "--json", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file);
        let output = command.output().unwrap();
        assert_fails(&output, code, status);
        let said = String::from_utf8(output.stdout).unwrap();
        let place = format!("ampoule.toml\\\": line {line}: `answer-cache.{key}");
        assert!(said.contains(&place), "{lines}: {said}");
        assert!(!said.contains("000102"), "{said}");
    }
}

#[test]
fn the_listing_of_the_operators_guide_keeps_answers() {
    let folder = tempfile::tempdir().unwrap();
    let guide = fs::read_to_string(workspace_file("docs/operate/answer-cache.md")).unwrap();
    let listings: Vec<&str> = guide.split("```").skip(1).step_by(2).collect();
    let [shell, toml] = listings[..] else {
        panic!("{listings:?}");
    };
    let inside = |text: &str| text.replace("/etc/ampoule", folder.path().to_str().unwrap());
    let inside = |text: &str| {
        inside(&inside(text).replace("/var/cache/ampoule-answers", "/etc/ampoule/answers"))
    };
    let shell = inside(shell.strip_prefix("sh\n").unwrap());
    let ran = std::process::Command::new("/bin/sh")
        .args(["-e", "-u", "-c", &shell])
        .output();
    assert!(ran.as_ref().unwrap().status.success(), "{ran:?}");
    let file = folder.path().join("ampoule.toml");
    fs::write(&file, inside(toml.strip_prefix("toml\n").unwrap())).unwrap();
    let served = Served::start(ampoule().arg("--config").arg(&file), &["--built-in"]);
    let path = "/ampoule/v1/models/tiny-vlm/image-embedding";
    let body = json!({"images": [{"width": 1, "height": 1, "pixels": "/wAA"}]});
    for cache in ["miss", "hit"] {
        let answer = served.post(path, &body);
        assert_eq!(answer.header("x-ampoule-cache"), cache, "{}", answer.text());
    }
    assert_eq!(files_in(&folder.path().join("answers")).len(), 1);
    assert!(scrape(&served).contains_key("ampoule_answers_bytes"));
}
