//! Real clients by TLS: curl, with both protocols, and OpenAI's.

use std::process::Command;

use ampoule_tests::workspace_file;
use serde_json::{Value, json};

use crate::http2::Secure;
use crate::tls::AUTHORITY;

/// Asks by curl. Returns the protocol's version, the status and the body.
fn curl(server: &Secure, path: &str, options: &[&str]) -> (String, String, String) {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--noproxy",
            "*",
            "--cacert",
        ])
        .arg(AUTHORITY.certificate())
        .args(["--write-out", "\n%{http_version} %{http_code}"])
        .args(options)
        .arg(format!(
            "https://localhost:{}{path}",
            server.served.address().port()
        ))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path}: {said}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let (body, told) = printed.rsplit_once('\n').unwrap();
    let (version, status) = told.split_once(' ').unwrap();
    (version.to_owned(), status.to_owned(), body.to_owned())
}

#[test]
fn curl_has_the_same_answers_by_both_protocols() {
    let server = Secure::get();
    let body = json!({"model": "every-task", "input": ["one", "two"]}).to_string();
    let unknown = json!({"model": "never-made", "input": "one"}).to_string();
    let json = [
        "--header",
        "content-type: application/json",
        "--data-binary",
    ];
    for (path, more, status) in [
        ("/v1/embeddings", &[&json[..], &[&body]].concat()[..], "200"),
        ("/v1/embeddings", &[&json[..], &[&unknown]].concat(), "404"),
        ("/api/embed", &[&json[..], &[&body]].concat(), "200"),
        ("/v1/models", &[], "200"),
        ("/nothing", &[], "404"),
        ("/v1/models", &["--request", "DELETE"], "405"),
        ("/healthz", &["--head"], "200"),
    ] {
        let ask = |protocol| curl(&server, path, &[&[protocol], more].concat());
        let (plain, multiplexed) = (ask("--http1.1"), ask("--http2"));
        assert_eq!(
            (plain.0.as_str(), plain.1.as_str()),
            ("1.1", status),
            "{path}"
        );
        assert_eq!(
            (multiplexed.0.as_str(), multiplexed.1.as_str()),
            ("2", status)
        );
        if let Ok(plain) = serde_json::from_str::<Value>(&plain.2) {
            let multiplexed: Value = serde_json::from_str(&multiplexed.2).unwrap();
            assert_eq!(plain["data"], multiplexed["data"], "{path}");
            assert_eq!(
                plain["error"]["code"], multiplexed["error"]["code"],
                "{path}"
            );
        }
    }
}

#[test]
fn a_large_upload_by_http2_comes_whole_or_is_refused_alone() {
    let server = Secure::get();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    let upload = |bytes: usize| {
        let text = format!(
            "{{\"model\": \"every-task\", \"input\": \"one\"}}{}",
            " ".repeat(bytes)
        );
        std::fs::write(&file, text).unwrap();
        let data = format!("@{}", file.display());
        let json = [
            "--header",
            "content-type: application/json",
            "--data-binary",
        ];
        curl(
            &server,
            "/v1/embeddings",
            &[&["--http2"][..], &json, &[&data]].concat(),
        )
    };
    assert_eq!(upload(8 << 20).1, "200");
    let refused = upload(40 << 20);
    assert_eq!(refused.1, "413", "{}", refused.2);
    assert!(refused.2.contains("input.body-too-large"), "{}", refused.2);
}

#[test]
fn the_python_client_of_openai_asks_by_tls() {
    let server = Secure::get();
    let installed = workspace_file("target/clients");
    let url = format!("https://localhost:{}", server.served.address().port());
    let output = Command::new("timeout")
        .args(["--kill-after=5", "120"])
        .arg(installed.join("python/bin/python"))
        .arg(workspace_file("tests/clients/tls_python.py"))
        .arg(url)
        .arg(AUTHORITY.certificate())
        .env("NO_PROXY", "localhost")
        .env("PYTHONPYCACHEPREFIX", installed.join("python-cache"))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{told}");
    let passed: Vec<_> = printed
        .lines()
        .filter_map(|line| line.strip_prefix("ok "))
        .collect();
    let expected = [
        "openai_embeds_by_tls",
        "openai_reads_a_stream_by_tls",
        "openai_knows_errors_by_tls",
        "openai_refuses_a_server_of_an_unknown_issuer",
    ];
    assert_eq!(passed, expected, "{printed}\n{told}");
}
