//! Browsers: headers by which they do no more with an answer than it is for, and leave for pages of other origins.

use ampoule_tests::{RawAnswer, Served, SharedServer, ampoule, assert_fails};

use crate::tls::{SERVER, client, served_by};

const PAGE: &str = "https://app.example";

/// Paths of each family, of those who watch the server, of its documents, and of nothing.
const PATHS: [&str; 8] = [
    "/v1/models",
    "/api/tags",
    "/v2",
    "/info",
    "/ampoule/v1/models",
    "/readyz",
    "/openapi.json",
    "/nothing",
];

fn ask(server: &Served, method: &str, path: &str, lines: &str) -> RawAnswer {
    let mut client = server.connect();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n");
    client.send(request).unwrap();
    client.answer().unwrap()
}

/// Returns a header's value; empty where there is none.
fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let line = head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        (found == name).then_some(value)
    });
    line.unwrap_or_default()
}

#[track_caller]
fn assert_guarded(head: &str) {
    for (name, expected) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        assert_eq!(header(head, name), expected, "{name}: {head}");
    }
}

#[test]
fn each_answer_tells_browsers_to_keep_run_and_hand_on_nothing() {
    let server = SharedServer::get();
    for path in PATHS {
        assert_guarded(&ask(&server, "GET", path, "").head);
    }
    assert_guarded(&ask(&server, "POST", "/v1/embeddings", "content-length: 0\r\n").head);
    assert_guarded(&ask(&server, "GET", "/healthz", "origin: null\r\n").head);
    let mut broken = server.connect();
    broken.send("no http\r\n\r\n").unwrap();
    assert_guarded(&broken.answer().unwrap().head);
    // The page says what it needs itself.
    let page = ask(&server, "GET", "/page/page.js", "").head;
    assert_eq!(header(&page, "cache-control"), "no-cache");
    assert!(header(&page, "content-security-policy").contains("script-src 'self'"));
    assert_eq!(page.matches("content-security-policy").count(), 1);
}

#[test]
fn browsers_are_told_to_use_tls_alone_for_names_that_are_this_servers_own() {
    let served = served_by(&SERVER, &["--host-names", "ampoule.example"]);
    let ask = |host: &str| {
        let mut stream = client(&["http/1.1"]).connect(served.address()).unwrap();
        let request = format!("GET /v1/models HTTP/1.1\r\nhost: {host}\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        stream.answer().unwrap()
    };
    let pinned = "max-age=31536000";
    let answer = ask("ampoule.example");
    assert_eq!(header(&answer.head, "strict-transport-security"), pinned);
    assert_guarded(&answer.head);
    // Another program of this machine has this name too.
    assert_eq!(
        header(&ask("localhost").head, "strict-transport-security"),
        ""
    );
    let plain = SharedServer::get();
    let answer = self::ask(&plain, "GET", "/v1/models", "");
    assert_eq!(header(&answer.head, "strict-transport-security"), "");
}

#[test]
fn a_page_of_an_allowed_origin_may_ask_and_read_and_no_other_page() {
    let served = Served::listening(
        &mut ampoule(),
        &[
            "--cors-origins",
            "https://app.example,http://other.example:3000",
        ],
    );
    let asks_for = "access-control-request-method: POST\r\naccess-control-request-headers: \
                    authorization,content-type,x-stainless-os,x-evil\r\n";
    for path in PATHS {
        let page = format!("origin: {PAGE}\r\n");
        let leave = ask(&served, "OPTIONS", path, &format!("{page}{asks_for}"));
        assert_eq!(leave.status, 204, "{path}: {leave:?}");
        assert_eq!(header(&leave.head, "access-control-allow-origin"), PAGE);
        assert_eq!(
            header(&leave.head, "access-control-allow-headers"),
            "authorization, content-type, x-stainless-os"
        );
        assert!(header(&leave.head, "access-control-allow-methods").contains("post"));
        let answer = ask(&served, "GET", path, &page);
        assert_eq!(header(&answer.head, "access-control-allow-origin"), PAGE);
        assert!(header(&answer.head, "access-control-expose-headers").contains("x-request-id"));
        assert_eq!(header(&answer.head, "vary"), "origin");
        assert_eq!(
            header(&answer.head, "cross-origin-resource-policy"),
            "cross-origin"
        );
        assert!(!answer.head.contains("access-control-allow-credentials"));
        for origin in [
            "https://evil.example",
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil.example",
            "null",
        ] {
            let other = format!("origin: {origin}\r\n");
            let refused = ask(&served, "OPTIONS", path, &format!("{other}{asks_for}"));
            assert_eq!(refused.status, 403, "{origin} {path}");
            for answer in [refused, ask(&served, "GET", path, &other)] {
                assert!(!answer.head.contains("access-control-"), "{answer:?}");
                assert_eq!(header(&answer.head, "vary"), "origin");
            }
        }
    }
    let both = format!("origin: {PAGE}\r\norigin: https://evil.example\r\n");
    let refused = ask(&served, "POST", "/v1/embeddings", &both);
    assert_eq!(refused.status, 403);
    let crossing = format!("origin: {PAGE}\r\nsec-fetch-site: cross-site\r\ncontent-length: 0\r\n");
    assert_ne!(
        ask(&served, "POST", "/v1/embeddings", &crossing).status,
        403
    );
}

#[test]
fn leave_is_given_before_any_credential_is_looked_at() {
    let server = crate::guarded::Guarded::start_unready(&["--cors-origins", PAGE]);
    let lines = format!("origin: {PAGE}\r\naccess-control-request-method: GET\r\n");
    let leave = server.ask_with("OPTIONS", "/v1/models", &lines, "");
    assert_eq!(leave.status, 204, "{leave:?}");
    let refused = server.ask_with("GET", "/v1/models", &format!("origin: {PAGE}\r\n"), "");
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("access-control-allow-origin"),
        PAGE,
        "it reads why"
    );
}

#[test]
fn every_origin_at_once_is_no_setting() {
    for origins in ["*", "null", "https://app.example/", "https://app.example,*"] {
        let output = ampoule()
            .args(["serve", "--json", "--listen", "127.0.0.1:0"])
            .args(["--cors-origins", origins])
            .output()
            .unwrap();
        assert_fails(&output, "usage.arguments", 2);
    }
}
