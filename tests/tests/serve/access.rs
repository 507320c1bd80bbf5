//! API keys: who is let in, to which models, and how much.

use std::time::{Duration, Instant};

use ampoule_access::{Rates, Role};
use ampoule_tests::{ampoule, assert_fails};
use serde_json::{Value, json};

use crate::guarded::{Answer, Guarded, requests, scope};

/// Requests that name a model, one of each way in which a family reads a name. `MODEL` stands for it.
const NAMING: &[(&str, &str, &str)] = &[
    ("GET", "/v1/models/MODEL", ""),
    (
        "POST",
        "/v1/embeddings",
        r#"{"model":"MODEL","input":"one"}"#,
    ),
    (
        "POST",
        "/v1/chat/completions",
        r#"{"model":"MODEL","messages":[{"role":"user","content":"one"}]}"#,
    ),
    (
        "POST",
        "/v1/responses",
        r#"{"model":"MODEL","input":"one"}"#,
    ),
    ("POST", "/api/show", r#"{"model":"MODEL:latest"}"#),
    ("POST", "/api/embed", r#"{"model":"MODEL","input":"one"}"#),
    (
        "POST",
        "/api/chat",
        r#"{"model":"MODEL","messages":[{"role":"user","content":"one"}]}"#,
    ),
    ("GET", "/v2/models/MODEL", ""),
    ("GET", "/v2/models/MODEL/ready", ""),
    ("GET", "/v2/models/MODEL/stats", ""),
    ("GET", "/v2/models/MODEL/versions/7", ""),
    ("POST", "/v2/models/MODEL/infer", "{}"),
    ("POST", "/embed?model=MODEL", r#"{"inputs":"one"}"#),
    ("GET", "/info?model=MODEL", ""),
    ("GET", "/ampoule/v1/models/MODEL", ""),
    (
        "POST",
        "/ampoule/v1/models/MODEL/text-embedding",
        r#"{"texts":["one"]}"#,
    ),
    (
        "POST",
        "/ampoule/v1/models/MODEL/text-embedding",
        r#"{"texts":["one"],"deterministic":true}"#,
    ),
];

/// Returns the lines of a head that do not differ from one request to the next.
fn fixed(head: &str) -> Vec<&str> {
    let lines = head.lines();
    lines
        .filter(|line| !line.starts_with("date:") && !line.starts_with("x-request-id:"))
        .collect()
}

#[test]
fn a_model_that_a_key_is_not_for_is_answered_as_one_that_there_is_not() {
    let server = Guarded::get();
    let key = server.key(Role::Infer, |key| {
        key.scope = scope(Some(&["tiny-vlm"]), None);
    });
    for (method, path, body) in NAMING {
        let ask = |model: &str| {
            let (path, body) = (path.replace("MODEL", model), body.replace("MODEL", model));
            let answer = server.ask(method, &path, &[&key], &body);
            (
                answer.status,
                answer.head,
                answer.body.replace(model, "MODEL"),
            )
        };
        let (hidden, none) = (ask("every-task"), ask("never-made"));
        assert_eq!(hidden.0, 404, "{path}: {hidden:?}");
        assert_eq!((hidden.0, &hidden.2), (none.0, &none.2), "{path}");
        assert_eq!(fixed(&hidden.1), fixed(&none.1), "{path}");
    }
    // Without a name, the first model that the key is for answers, and it embeds no texts.
    let unnamed = server.ask("POST", "/embed", &[&key], r#"{"inputs":"one"}"#);
    assert_eq!(unnamed.status, 400, "{unnamed:?}");
    assert!(!unnamed.body.contains("every-task"), "{unnamed:?}");
    let seen = server.ask("GET", "/v1/models", &[&key], "").json();
    let seen = seen["data"].as_array().unwrap();
    assert!(seen.iter().all(|model| model["id"] == "tiny-vlm") && seen.len() == 1);
}

#[test]
fn a_task_that_a_key_is_not_for_is_no_task_of_the_model() {
    let server = Guarded::get();
    let key = server.key(Role::Infer, |key| {
        key.scope = scope(None, Some(&["text-embedding"]));
    });
    let show = server.ask("POST", "/api/show", &[&key], r#"{"model":"every-task"}"#);
    assert_eq!(show.json()["capabilities"], json!(["embedding"]));
    let model = server.ask("GET", "/ampoule/v1/models/every-task", &[&key], "");
    assert_eq!(model.json()["loaded"]["tasks"], json!(["text-embedding"]));
    let inputs = server.ask("GET", "/v2/models/every-task", &[&key], "");
    let inputs = inputs.json()["inputs"].clone();
    assert_eq!(inputs.as_array().unwrap().len(), 1, "{inputs}");
    let path = "/ampoule/v1/models/every-task/text-generation";
    for body in [
        json!({"prompt": "one"}),
        json!({"prompt": "one", "stream": true}),
    ] {
        let refused = server.ask("POST", path, &[&key], &body.to_string());
        assert_eq!(refused.status, 400, "{refused:?}");
        assert_eq!(refused.json()["error"]["code"], "usage.task");
        assert!(!refused.body.contains("text-tokenization"), "{refused:?}");
    }
    // Many texts of which some may be too long are counted by the tokenizer where the key is for that task too.
    let texts = vec!["one"; 40];
    let body = json!({"model": "every-task", "input": texts});
    let embedded = server.ask("POST", "/v1/embeddings", &[&key], &body.to_string());
    assert_eq!(embedded.status, 200, "{embedded:?}");
}

#[test]
fn a_key_counts_within_seconds_of_its_making_and_until_seconds_after_its_end() {
    let server = Guarded::get();
    let key = server.key(Role::Infer, |_| {});
    assert_eq!(server.ask("GET", "/v1/models", &[&key], "").status, 200);
    let name = key["Bearer amp_".len()..][..16].parse().unwrap();
    let now = ampoule_signing::Timestamp::now();
    server.keys().revoke(&[name], now).unwrap();
    let begun = Instant::now();
    server.wait_for(&key, 401, true);
    assert!(begun.elapsed() < Duration::from_secs(5), "{begun:?}");
}

#[test]
fn strangers_get_the_state_of_the_server_and_no_models_name() {
    let server = Guarded::get();
    for path in [
        "/readyz",
        "/health",
        "/healthz",
        "/v2/health/ready",
        "/openapi.json",
        "/",
        "/api/version",
    ] {
        for authorization in [&[][..], &["Bearer sk-not-a-key"]] {
            let answer = server.ask("GET", path, authorization, "");
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.body.contains("every-task"), "{path}");
        }
    }
    let ready = server.ask("GET", "/readyz", &[], "").json();
    assert_eq!(ready, json!({"is_ready": true, "is_draining": false}));
    let metrics = server.key(Role::Metrics, |_| {});
    let ready = server.ask("GET", "/readyz", &[&metrics], "").json();
    assert_eq!(ready["models"]["every-task"]["state"], "ready");
}

#[test]
fn strangers_are_not_told_which_model_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("secret-model");
    std::fs::create_dir(&missing).unwrap();
    let model = missing.to_str().unwrap();
    let server = Guarded::start_unready(&["--model", model]);
    for path in ["/readyz", "/health", "/v2/health/ready"] {
        let answer = server.ask("GET", path, &[], "");
        assert!(matches!(answer.status, 400 | 503), "{path}: {answer:?}");
        assert!(!answer.body.contains("secret-model"), "{path}: {answer:?}");
    }
}

#[test]
fn what_there_is_not_needs_no_key_to_be_told_so() {
    let server = Guarded::get();
    for (method, path, status) in [
        ("GET", "/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/v1/models", 405),
        ("GET", "/v1/embeddings", 405),
    ] {
        let answer = server.ask(method, path, &[], "");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
}

#[test]
fn a_path_that_is_encoded_has_the_rule_of_the_path_that_it_means() {
    let server = Guarded::get();
    let list = server.key(Role::List, |_| {});
    let body = r#"{"inputs":[{"name":"texts","datatype":"BYTES","shape":[1],"data":["one"]}]}"#;
    for path in [
        "/v2/models/every-task/infer",
        "/v2/models/every-task%2Finfer",
        "/v2/models/every-task/%69nfer",
        "/v2//models/every-task/infer/",
        "/v2/models/acme%2Fevery-task/versions/1/infer",
    ] {
        let answer = server.ask("POST", path, &[&list], body);
        assert_eq!(answer.status, 403, "{path}: {answer:?}");
    }
    let ready = server.ask("GET", "/v2/models/every-task%2Fready", &[&list], "");
    assert_eq!(ready.status, 200, "{ready:?}");
}

#[test]
fn a_refusal_does_not_wait_for_the_body() {
    let server = Guarded::get();
    for (key, status) in [("Bearer sk-not-a-key", 401), ("", 401)] {
        let mut connection = server.served.connect();
        let more = format!("authorization: {key}\r\n");
        connection
            .begin_post("/v1/embeddings", 30 << 20, &more)
            .unwrap();
        let begun = Instant::now();
        assert_eq!(connection.answer().unwrap().status, status);
        assert!(begun.elapsed() < Duration::from_secs(5), "{begun:?}");
    }
}

#[test]
fn the_log_names_keys_and_reasons_and_holds_no_secret() {
    let server = Guarded::get();
    let key = server.key(Role::Infer, |_| {});
    let text = key.strip_prefix("Bearer ").unwrap();
    let (name, secret) = text.strip_prefix("amp_").unwrap().split_once('_').unwrap();
    let wrong = format!("Bearer amp_{name}_{}", "ab".repeat(32));
    let unknown = format!("Bearer amp_{}_{secret}", "f".repeat(16));
    let ask = |id: &str, authorization: &str| {
        let lines = format!("x-request-id: {id}\r\nauthorization: {authorization}\r\n");
        server.ask_with("GET", "/metrics", &lines, "").status
    };
    assert_eq!(ask("log-role", &key), 403);
    assert_eq!(ask("log-secret", &wrong), 401);
    assert_eq!(ask("log-unknown", &unknown), 401);
    assert_eq!(ask("log-scheme", &format!("Basic {text}")), 401);
    let line = |id: &str| -> Value {
        let begun = Instant::now();
        loop {
            let log = server.log();
            let lines = log
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            if let Some(line) = lines.into_iter().find(|line: &Value| line["id"] == id) {
                return line;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{id}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let role = line("log-role");
    assert_eq!(role["key"], name);
    assert_eq!(role["tenant"], "acme");
    assert_eq!(role["denied"], "role");
    assert_eq!(role["error"], "auth.forbidden");
    for (id, reason) in [
        ("log-secret", "secret"),
        ("log-unknown", "unknown"),
        ("log-scheme", "scheme"),
    ] {
        let line = line(id);
        assert_eq!(line["denied"], reason);
        assert_eq!(line["error"], "auth.invalid");
        assert!(line.get("key").is_none_or(Value::is_null), "{line}");
    }
    let log = server.log();
    assert!(!log.contains(secret) && !log.contains(&"ab".repeat(32)));
}

#[test]
fn a_keys_rate_of_requests_is_kept_and_the_refusal_says_when_to_ask_again() {
    let server = Guarded::get();
    let slow = server.key(Role::Infer, |key| key.rates = requests("5/1h"));
    let long = server.key(Role::List, |key| key.rates = requests("600/1m"));
    let ask = |key: &str| server.ask("GET", "/v1/models", &[key], "");
    // Making the key known has taken some.
    let refused = (0..6)
        .map(|_| ask(&slow))
        .find(|answer| answer.status != 200);
    let refused = refused.unwrap();
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((600..=720).contains(&wait), "{wait}");
    // Clients would ask again after a pause of their own, and much too early.
    assert_eq!(refused.header("x-should-retry"), "false");
    let ollama = server.ask("GET", "/api/tags", &[&slow], "");
    assert_eq!(ollama.status, 429);
    assert!(ollama.json()["error"].is_string());
    let tei = server.ask("POST", "/embed", &[&slow], r#"{"inputs":"one"}"#);
    assert_eq!(tei.json()["error_type"], "Overloaded");
    assert_eq!(ask(&long).status, 200, "another key is not concerned");
    assert_eq!(server.ask("GET", "/healthz", &[&slow], "").status, 200);
}

#[test]
fn each_answer_says_what_is_left_of_the_keys_limits() {
    let server = Guarded::get();
    let key = server.key(Role::Infer, |key| {
        key.rates = Rates {
            tokens: Some("8/1h".parse().unwrap()),
            ..requests("20/1h")
        };
    });
    let body = r#"{"model":"every-task","prompt":"one two three"}"#;
    let ask = || server.ask("POST", "/v1/completions", &[&key], body);
    let number = |answer: &Answer, name: &str| -> u64 {
        answer
            .header(&format!("x-ratelimit-{name}"))
            .parse()
            .unwrap()
    };
    let (first, second) = (ask(), ask());
    assert_eq!((first.status, second.status), (200, 200), "{second:?}");
    for answer in [&first, &second] {
        assert_eq!(number(answer, "limit-requests"), 20);
        assert_eq!(number(answer, "limit-tokens"), 8);
    }
    let left = number(&first, "remaining-requests");
    assert_eq!(number(&second, "remaining-requests"), left - 1);
    assert!(number(&second, "remaining-tokens") <= 2, "{second:?}");
    // A request takes 3 minutes of 20 an hour.
    let reset = second.header("x-ratelimit-reset-requests");
    assert!(reset.contains('m') && reset.ends_with('s'), "{reset}");
    let refused = ask();
    assert_eq!(refused.status, 429);
    assert_eq!(number(&refused, "remaining-tokens"), 0);
    assert!(refused.body.contains("tokens"), "{refused:?}");
    let unlimited = server.key(Role::Infer, |_| {});
    for authorization in [&[unlimited.as_str()][..], &[]] {
        let answer = server.ask("GET", "/v1/models", authorization, "");
        assert!(!answer.head.contains("ratelimit"), "{answer:?}");
    }
}

#[test]
fn a_keys_rate_of_tokens_counts_those_that_an_answer_took() {
    let server = Guarded::get();
    let key = server.key(Role::Infer, |key| {
        key.rates = Rates {
            tokens: Some("5/1h".parse().unwrap()),
            ..Rates::default()
        };
    });
    let body = r#"{"model":"every-task","prompt":"one two three"}"#;
    let ask = || server.ask("POST", "/v1/completions", &[&key], body);
    let first = ask();
    assert_eq!(first.json()["usage"]["total_tokens"], 6);
    let second = ask();
    assert_eq!(second.status, 429, "{second:?}");
    let wait: u64 = second.header("retry-after").parse().unwrap();
    assert!(wait > 600, "{wait}");
}

#[test]
fn a_server_with_keys_that_cannot_be_used_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("no-keys");
    let output = ampoule()
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--keys"])
        .arg(&keys)
        .output()
        .unwrap();
    assert_fails(&output, "key.missing", 3);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("no-keys"), "{told}");
    let file = folder.path().join("ampoule.toml");
    std::fs::write(&file, format!("[auth]\nkeys = {keys:?}\n")).unwrap();
    let output = ampoule()
        .arg("--config")
        .arg(&file)
        .args(["serve", "--json", "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    assert_fails(&output, "key.missing", 3);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("line 2") && told.contains("auth.keys"),
        "{told}"
    );
}
