//! Pages of other origins: no answer lets a browser show them anything.

use ampoule_tests::{RawAnswer, Served, SharedServer};

/// A path of each family, of those who watch the server, of its documents, and of nothing.
const PATHS: [&str; 9] = [
    "/v1/chat/completions",
    "/api/chat",
    "/v2/models/every-task/infer",
    "/embed",
    "/ampoule/v1/models/every-task/embed",
    "/readyz",
    "/openapi.json",
    "/",
    "/nothing",
];

fn ask(server: &Served, method: &str, path: &str, headers: &str) -> RawAnswer {
    let mut client = server.connect();
    let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    client.send(request).unwrap();
    client.answer().unwrap()
}

#[track_caller]
fn assert_shows_nothing(answer: &RawAnswer) {
    assert!(!answer.head.contains("access-control-"), "{}", answer.head);
}

/// A browser asks first by `OPTIONS` whether a page may send what OpenAI's client sends, and sends nothing without leave.
#[test]
fn no_page_of_another_origin_is_given_leave() {
    let asks_for = "access-control-request-method: POST\r\naccess-control-request-headers: authorization,content-type,x-stainless-os\r\n";
    let server = &SharedServer::get();
    for path in PATHS {
        for origin in ["https://evil.example", "null"] {
            let answer = ask(
                server,
                "OPTIONS",
                path,
                &format!("origin: {origin}\r\n{asks_for}"),
            );
            assert_eq!(answer.status, 403, "{path}: {answer:?}");
            assert_shows_nothing(&answer);
            let answer = ask(server, "GET", path, &format!("origin: {origin}\r\n"));
            assert_shows_nothing(&answer);
        }
        // Pages of this machine may ask, and are of another origin all the same where their port is another.
        let own = "origin: http://localhost:3000\r\n";
        let answer = ask(server, "OPTIONS", path, &format!("{own}{asks_for}"));
        assert!([404, 405].contains(&answer.status), "{path}: {answer:?}");
        assert_shows_nothing(&answer);
        assert_shows_nothing(&ask(server, "GET", path, own));
    }
}
