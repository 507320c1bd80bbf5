//! The access log: a line a request, when its answer is over.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ampoule_tests::{BundleBuilder, Operator, Served, WrittenBundle, ampoule, test_guest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::metrics::{scrape, sum};

/// Longest time for anything.
const PATIENCE: Duration = Duration::from_secs(60);

const JSON: &[&str] = &["--access-log", "--log-format", "json"];

/// A server of one model that logs to a file.
struct Logged {
    served: Served,
    folder: TempDir,
    model: String,
    _operator: Operator,
    _bundle: WrittenBundle,
}

impl Logged {
    fn start(options: &[&str]) -> Self {
        Self::start_with(options, Operator::good)
    }

    fn start_with(options: &[&str], bundle: fn(&Operator) -> BundleBuilder<'_>) -> Self {
        let (folder, operator) = (tempfile::tempdir().unwrap(), Operator::new());
        let bundle = bundle(&operator).write();
        let mut command = ampoule();
        command.arg("--trust").arg(operator.trust());
        command.stderr(File::create(folder.path().join("log")).unwrap());
        let path = bundle.path().to_str().unwrap();
        let arguments = [&["--model", path][..], options].concat();
        let served = Served::start(&mut command, &arguments);
        let model = served.get("/v1/models").json()["data"][0]["id"].clone();
        Self {
            served,
            folder,
            model: model.as_str().unwrap().to_owned(),
            _operator: operator,
            _bundle: bundle,
        }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Returns the lines of the access log so far.
    fn lines(&self) -> Vec<Value> {
        let text = self.text();
        // The last line may be half written.
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["target"] == "ampoule::access")
            .collect()
    }

    /// Waits for the line of the request with this id.
    #[track_caller]
    fn line(&self, id: &str) -> Value {
        self.line_of(|line| line["id"] == id)
    }

    /// Waits for the one line that is like this.
    #[track_caller]
    fn line_of(&self, is_asked_for: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let mut found = self.lines().into_iter().filter(|line| is_asked_for(line));
            if let Some(line) = found.next() {
                assert!(
                    found.next().is_none(),
                    "one line a request: {}",
                    self.text()
                );
                return line;
            }
            assert!(begun.elapsed() < PATIENCE, "{}", self.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_line_has_the_facts_of_a_request_and_none_of_its_words() {
    let logged = Logged::start(JSON);
    let body = json!({"model": logged.model, "input": "SECRET of the body", "user": "SECRET"});
    let headers = [
        ("x-request-id", "embedding"),
        ("authorization", "Bearer SECRET"),
    ];
    let answer = logged.served.post_bytes(
        "/v1/embeddings?api_key=SECRET",
        &headers,
        body.to_string().as_bytes(),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    let line = logged.line("embedding");
    assert_eq!(line["target"], "ampoule::access");
    assert_eq!(line["level"], "INFO");
    for (key, value) in [
        ("method", json!("POST")),
        ("route", json!("/v1/embeddings")),
        ("family", json!("openai")),
        ("status", json!(200)),
        ("outcome", json!("finished")),
        ("model", json!(logged.model)),
        ("bytes", json!(answer.body.len())),
        ("body_bytes", json!(body.to_string().len())),
        (
            "input_tokens",
            answer.json()["usage"]["prompt_tokens"].clone(),
        ),
    ] {
        assert_eq!(line[key], value, "{key}: {line}");
    }
    assert!(
        line["peer"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{line}"
    );
    assert!(line["fuel"].as_u64() > Some(0), "{line}");
    assert!(line["peak_memory_bytes"].as_u64() > Some(0), "{line}");
    assert!(line["duration_ms"].as_f64() > Some(0.0), "{line}");
    let unknown = json!({"model": "SECRET", "input": "a"}).to_string();
    let headers = [("x-request-id", "unknown")];
    let answer = logged
        .served
        .post_bytes("/v1/embeddings", &headers, unknown.as_bytes());
    assert_eq!(answer.status, 404);
    let line = logged.line("unknown");
    assert_eq!(line["outcome"], "error");
    assert_eq!(line["error"], "model.unknown");
    assert_eq!(line["model"], Value::Null);
    assert!(!logged.text().contains("SECRET"), "{}", logged.text());
}

#[test]
fn a_stream_is_logged_at_its_end_with_the_end_that_it_came_to() {
    let logged = Logged::start(JSON);
    let body = json!({
        "model": logged.model,
        "messages": [{"role": "user", "content": "a"}],
        "stream": true,
    });
    let body = body.to_string();
    let headers = [("x-request-id", "whole")];
    let answer = logged
        .served
        .post_bytes("/v1/chat/completions", &headers, body.as_bytes());
    assert_eq!(answer.status, 200);
    let line = logged.line("whole");
    assert_eq!(line["outcome"], "finished");
    assert_eq!(line["bytes"], answer.body.len());
    assert!(
        line["output_tokens"].is_u64() && line["first_token_ms"].is_f64(),
        "{line}"
    );
}

#[test]
fn a_client_that_leaves_during_its_upload_has_gone_and_its_request_was_not_bad() {
    let logged = Logged::start(JSON);
    let chunked = "transfer-encoding: chunked\r\n\r\n3e8\r\n{";
    for (id, rest) in [
        ("plain", "content-length: 1000\r\n\r\n{"),
        ("chunked", chunked),
        (
            "packed",
            "content-encoding: gzip\r\ncontent-length: 1000\r\n\r\n\x1f",
        ),
        (
            "asked",
            "expect: 100-continue\r\ncontent-length: 1000\r\n\r\n",
        ),
    ] {
        let mut gone = logged.served.connect();
        let head = format!(
            "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\nx-request-id: {id}\r\n{rest}"
        );
        gone.send(head).unwrap();
        // What the client has sent was read before it leaves, at least sometimes.
        let _ = gone.has_bytes_within(Duration::from_millis(20));
        drop(gone);
        let line = logged.line(id);
        assert_eq!(line["outcome"], "client-gone", "{line}");
        assert_eq!(
            (&line["status"], &line["error"]),
            (&Value::Null, &Value::Null),
            "{line}"
        );
    }
    let metrics = scrape(&logged.served);
    let gone = ["status=\"none\"", "outcome=\"client-gone\""];
    assert_eq!(sum(&metrics, "ampoule_http_requests_total", &gone), 4.0);
    assert_eq!(
        sum(
            &metrics,
            "ampoule_http_errors_total",
            &["code=\"input.json\""]
        ),
        0.0
    );
    // A body whose frames cannot be read is the caller's fault.
    let mut bad = logged.served.connect();
    bad.send("POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\nx-request-id: bad\r\ntransfer-encoding: chunked\r\n\r\nno length\r\n").unwrap();
    assert_eq!(bad.answer().unwrap().status, 400);
    let line = logged.line("bad");
    assert_eq!(line["outcome"], "error", "{line}");
    assert_eq!(line["error"], "input.json", "{line}");
}

#[test]
fn a_client_that_leaves_during_its_answer_has_gone() {
    let logged = Logged::start_with(JSON, |operator| {
        let guest = test_guest("generation_blocks");
        let bundle = operator.publisher().bundle(guest);
        bundle.tasks(&["text-generation"])
    });
    for (id, is_streamed, status) in [("whole", false, Value::Null), ("stream", true, json!(200))] {
        let body = json!({"model": logged.model, "prompt": "a", "stream": is_streamed}).to_string();
        let mut gone = logged.served.connect();
        let id_header = format!("x-request-id: {id}\r\n");
        gone.begin_post("/v1/completions", body.len(), &id_header)
            .unwrap();
        gone.send(&body).unwrap();
        if is_streamed {
            assert!(gone.has_bytes_within(PATIENCE).unwrap());
        } else {
            assert!(!gone.has_bytes_within(Duration::from_millis(200)).unwrap());
        }
        drop(gone);
        let line = logged.line(id);
        assert_eq!(line["outcome"], "client-gone", "{line}");
        assert_eq!(line["status"], status, "{line}");
        assert_eq!(line["error"], Value::Null, "{line}");
    }
}

#[test]
fn a_stream_whose_guest_fails_has_ended_with_an_error() {
    let logged = Logged::start_with(JSON, |operator| {
        let guest = test_guest("generation_fails_midway");
        let bundle = operator.publisher().bundle(guest);
        bundle.tasks(&["text-generation"])
    });
    let body = json!({"model": logged.model, "prompt": "a", "stream": true}).to_string();
    let headers = [("x-request-id", "broken")];
    let path = "/v1/completions";
    let answer = logged.served.post_bytes(path, &headers, body.as_bytes());
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("word "), "{}", answer.text());
    let line = logged.line("broken");
    assert_eq!(line["outcome"], "error", "{line}");
    assert_eq!(line["status"], 200, "{line}");
    assert_eq!(line["error"], "guest.error", "{line}");
    assert_eq!(line["bytes"], answer.body.len(), "{line}");
    let ended = [
        "status=\"200\"",
        "outcome=\"error\"",
        "route=\"/v1/completions\"",
    ];
    let requests = sum(
        &scrape(&logged.served),
        "ampoule_http_requests_total",
        &ended,
    );
    assert_eq!(requests, 1.0);
}

#[test]
fn refusals_of_requests_that_cannot_be_read_are_logged_and_counted() {
    let logged = Logged::start(&[JSON, &["--head-timeout", "300ms"]].concat());
    let long = "a".repeat(40 << 10);
    for (request, family, status, code) in [
        (
            "GET /v1/models HTTP/1.1\r\nhost:".to_owned(),
            "openai",
            408,
            "input.head-timeout",
        ),
        (
            format!("GET /api/tags HTTP/1.1\r\nx: {long}\r\n\r\n"),
            "ollama",
            431,
            "input.head-too-large",
        ),
        (
            format!("GET /v2/{} HTTP/1.1\r\n\r\n", &long[..10 << 10]),
            "inference",
            414,
            "input.address-too-long",
        ),
        (
            "SECRET /embed SECRET\r\n\r\n".to_owned(),
            "tei",
            400,
            "input.http",
        ),
    ] {
        let mut client = logged.served.connect();
        client.send(&request).unwrap();
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, status, "{answer:?}");
        let line = logged.line_of(|line| line["error"] == code);
        let id = line["id"].as_str().unwrap();
        assert!(
            answer.head.contains(&format!("x-request-id: {id}")),
            "{line}"
        );
        let peer = line["peer"].as_str().unwrap();
        assert_eq!(peer, client.own_address().to_string());
        for (key, value) in [
            ("family", json!(family)),
            ("status", json!(status)),
            ("outcome", json!("error")),
            ("bytes", json!(answer.body.len())),
            ("model", Value::Null),
        ] {
            assert_eq!(line[key], value, "{key}: {line}");
        }
        assert!(line["duration_ms"].is_f64(), "{line}");
        if code != "input.address-too-long" {
            let unread = (&line["method"], line["route"].as_str());
            assert_eq!(unread, (&Value::Null, Some("unknown")), "{line}");
        }
        let metrics = scrape(&logged.served);
        let labels = [format!("family=\"{family}\""), format!("code=\"{code}\"")];
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        assert_eq!(sum(&metrics, "ampoule_http_errors_total", &labels), 1.0);
        let status = format!("status=\"{status}\"");
        let labels = [labels[0], &status, "route=\"unknown\"", "outcome=\"error\""];
        assert_eq!(sum(&metrics, "ampoule_http_requests_total", &labels), 1.0);
        // That of the scrape itself.
        assert_eq!(sum(&metrics, "ampoule_http_requests_in_flight", &[]), 1.0);
    }
    assert!(!logged.text().contains("SECRET"), "{}", logged.text());
}

#[test]
fn probes_are_logged_only_when_they_fail() {
    let logged = Logged::start(JSON);
    let probes = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/health",
        "/v2/health/live",
        "/v2/health/ready",
    ];
    for path in probes {
        let answer = logged.served.get_with(path, &[("x-request-id", "probe")]);
        assert_eq!(answer.status, 200, "{path}");
    }
    let headers = [("x-request-id", "failed")];
    assert_eq!(
        logged.served.post_bytes("/readyz", &headers, b"").status,
        405
    );
    logged.line("failed");
    let lines = logged.lines();
    assert!(lines.iter().all(|line| line["id"] != "probe"), "{lines:?}");
}

#[test]
fn an_id_that_is_not_plain_is_replaced_and_a_forwarded_address_is_not_believed() {
    let logged = Logged::start(JSON);
    let ask = |id: &[u8]| {
        let mut client = logged.served.connect();
        let mut request = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nforwarded: for=192.0.2.1\r\nx-forwarded-for: 192.0.2.1\r\nx-real-ip: 192.0.2.1\r\nx-request-id: ".to_vec();
        request.extend_from_slice(id);
        request.extend_from_slice(b"\r\n\r\n");
        client.send(request).unwrap();
        let answer = client.answer().unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let sent = answer.head.lines();
        let mut sent = sent.filter_map(|line| line.strip_prefix("x-request-id: "));
        let given = sent.next().unwrap().to_owned();
        assert_eq!(sent.next(), None, "one id an answer");
        let line = logged.line(&given);
        assert_eq!(line["peer"], client.own_address().to_string(), "{line}");
        given
    };
    let longest = "a".repeat(64);
    for plain in ["7", "req_1.a-b", &longest] {
        assert_eq!(ask(plain.as_bytes()), plain);
    }
    let too_long = "a".repeat(65);
    let odd: [&[u8]; 8] = [
        b"",
        too_long.as_bytes(),
        b"a b",
        b"a\tb",
        b"a/b",
        b"a\x80\xff",
        "é".as_bytes(),
        b"<script>",
    ];
    for id in odd {
        let given = ask(id);
        let is_made = given.len() == 32 && given.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_made, "{given} for {}", id.escape_ascii());
    }
    assert!(!logged.text().contains("192.0.2.1"), "{}", logged.text());
    assert!(!logged.text().contains("script"), "{}", logged.text());
}

#[test]
fn a_line_has_neither_the_path_nor_a_method_that_only_the_caller_knows() {
    let logged = Logged::start(JSON);
    let ask = |id: &str, line: &str| {
        let mut connection = TcpStream::connect(logged.served.address()).unwrap();
        let request = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-request-id: {id}\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let long = format!("GET /{}", "SECRET".repeat(300));
    for (id, line, route, method) in [
        ("long", long.as_str(), "unknown", "GET"),
        ("escaped", "GET /a%0Astatus=200SECRET", "unknown", "GET"),
        ("model", "GET /v1/models/SECRET", "/v1/models/{*id}", "GET"),
        ("method", "SECRET /v1/embeddings", "unknown", "_OTHER"),
    ] {
        let answer = ask(id, line);
        assert!(!answer.contains("SECRET"), "{answer}");
        let line = logged.line(id);
        assert_eq!(
            (&line["route"], &line["method"]),
            (&json!(route), &json!(method))
        );
        assert!(line.get("path").is_none(), "{line}");
    }
    assert!(!logged.text().contains("SECRET"), "{}", logged.text());
}

#[test]
fn a_server_logs_loads_and_not_requests_unless_it_is_asked_to() {
    let logged = Logged::start(&[]);
    let text = logged.text();
    assert!(
        text.contains("ampoule::load") && text.contains("loaded"),
        "{text}"
    );
    assert!(!text.contains("ampoule::access"), "{text}");
}
