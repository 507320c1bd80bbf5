//! The access log: a line a request, when its answer is over.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ampoule_tests::{Operator, Served, WrittenBundle, ampoule};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server of a model of every task that logs to a file.
struct Logged {
    served: Served,
    folder: TempDir,
    model: String,
    _operator: Operator,
    _bundle: WrittenBundle,
}

impl Logged {
    fn start(options: &[&str]) -> Self {
        let (folder, operator) = (tempfile::tempdir().unwrap(), Operator::new());
        let bundle = operator.good().write();
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

    /// Waits for the line of the request with this id.
    #[track_caller]
    fn line(&self, id: &str) -> Value {
        let begun = Instant::now();
        loop {
            let text = self.text();
            // The last line may be half written.
            let lines = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
            let mut of_request = lines.filter(|line| line["id"] == id);
            if let Some(line) = of_request.next() {
                assert!(of_request.next().is_none(), "one line a request: {text}");
                return line;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{text}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_line_has_the_facts_of_a_request_and_none_of_its_words() {
    let logged = Logged::start(&["--access-log", "--log-format", "json"]);
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
        ("path", json!("/v1/embeddings")),
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
    let logged = Logged::start(&["--access-log", "--log-format", "json"]);
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
    // A client that announces more of its body than it sends, and leaves.
    let mut gone = TcpStream::connect(logged.served.address()).unwrap();
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\nx-request-id: gone\r\ncontent-length: 1000\r\n\r\n{";
    gone.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    drop(gone);
    let line = logged.line("gone");
    assert_ne!(line["outcome"], "finished", "{line}");
}

#[test]
fn paths_cannot_forge_lines_and_are_cut() {
    let logged = Logged::start(&["--access-log", "--log-format", "json"]);
    let ask = |id: &str, path: &[u8]| {
        let mut connection = TcpStream::connect(logged.served.address()).unwrap();
        let mut request = b"GET ".to_vec();
        request.extend_from_slice(path);
        request.extend_from_slice(
            b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-request-id: ",
        );
        request.extend_from_slice(id.as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        connection.write_all(&request).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let long = format!("/{}", "a".repeat(2_000));
    assert!(ask("long", long.as_bytes()).starts_with("HTTP/1.1 404"));
    let path = logged.line("long")["path"].as_str().unwrap().to_owned();
    assert!(
        path.chars().count() <= 201 && long.starts_with(&path[..100]),
        "{path}"
    );
    // A mark that turns the direction of writing, which the parser of addresses lets through.
    if ask("turned", "/\u{202e}gpj.exe".as_bytes()).starts_with("HTTP/1.1 404") {
        let line = logged.line("turned");
        assert!(
            !line["path"].as_str().unwrap().contains('\u{202e}'),
            "{line}"
        );
    }
    ask("escaped", b"/a%0Astatus=200");
    assert_eq!(logged.line("escaped")["path"], "/a%0Astatus=200");
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
