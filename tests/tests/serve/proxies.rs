//! A server behind proxies: the client's address, and credentials that came in the clear.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use ampoule_access::{KeyDirectory, KeySettings, Role};
use ampoule_signing::{PermissionPolicy, Timestamp};
use ampoule_tests::{ampoule, assert_fails, json_of};

use crate::guarded::Guarded;
use crate::tls::{SERVER, client};

const BY_HTTPS: &str = "x-forwarded-proto: https\r\nx-forwarded-for: 203.0.113.7\r\n";

/// Longest time for a key to be known.
const PATIENCE: Duration = Duration::from_secs(30);

fn behind(proxies: &str) -> Guarded {
    Guarded::start_unready(&["--behind-proxy", "--trusted-proxies", proxies])
}

/// Makes a key, and waits until the server knows it.
fn known_key(server: &Guarded, lines: &str) -> String {
    let key = server.key(Role::Infer, |_| {});
    let begun = Instant::now();
    while ask(server, &key, lines).0 != 200 {
        assert!(begun.elapsed() < PATIENCE, "{lines}");
        std::thread::sleep(Duration::from_millis(50));
    }
    key
}

/// Asks for the list of models. Returns the status, and the error's code.
fn ask(server: &Guarded, key: &str, lines: &str) -> (u16, String) {
    let lines = format!("authorization: {key}\r\n{lines}");
    code_of(server, &lines)
}

fn code_of(server: &Guarded, lines: &str) -> (u16, String) {
    let answer = server.ask_with("GET", "/v1/models", lines, "");
    let code = answer.json()["error"]["code"].as_str().map(str::to_owned);
    (answer.status, code.unwrap_or_default())
}

#[test]
fn a_credential_that_came_to_a_proxy_in_the_clear_is_refused() {
    let server = behind("127.0.0.1");
    let key = known_key(&server, BY_HTTPS);
    let plain = (403, "auth.plain-http".to_owned());
    for lines in [
        "",
        "x-forwarded-for: 203.0.113.7\r\n",
        "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: http\r\n",
        "x-forwarded-proto: https, http\r\n",
        "forwarded: for=203.0.113.7\r\n",
        "forwarded: for=203.0.113.7;proto=http\r\n",
    ] {
        assert_eq!(ask(&server, &key, lines), plain, "{lines}");
    }
    for lines in [BY_HTTPS, "forwarded: for=203.0.113.7;proto=https\r\n"] {
        assert_eq!(ask(&server, &key, lines).0, 200, "{lines}");
    }
    let both = format!("{BY_HTTPS}forwarded: for=203.0.113.7;proto=https\r\n");
    assert_eq!(ask(&server, &key, &both).0, 400);
    // There is no secret in a request without a credential, and a wrong one is one all the same.
    assert_eq!(code_of(&server, ""), (401, "invalid_api_key".to_owned()));
    assert_eq!(code_of(&server, "authorization: Bearer amp_x\r\n"), plain);
    let probe = format!("authorization: {key}\r\n");
    assert_eq!(server.ask_with("GET", "/healthz", &probe, "").status, 200);
    let log = server.log();
    assert!(log.contains("\"denied\":\"plain-http\""), "{log}");
    assert!(log.contains("\"client\":\"203.0.113.7\""), "{log}");
    assert!(!log.contains(&key["Bearer ".len()..]), "a key in the log");
}

#[test]
fn a_proxy_that_speaks_tls_to_the_server_has_to_say_that_its_client_did() {
    let behind = ["--behind-proxy", "--trusted-proxies", "127.0.0.1"];
    let server = Guarded::start_unready(&[&behind[..], &SERVER.arguments()].concat());
    let key = server.key(Role::Infer, |_| {});
    let proxy = client(&["http/1.1"]);
    let ask = |lines: &str| {
        let lines = format!("authorization: {key}\r\n{lines}");
        let answer = proxy.get(server.served.address(), "/v1/models", &lines);
        let answer = answer.unwrap();
        let is_plain = answer.body.contains("auth.plain-http");
        (answer.status, is_plain)
    };
    let begun = Instant::now();
    while ask(BY_HTTPS) != (200, false) {
        assert!(begun.elapsed() < PATIENCE, "{:?}", ask(BY_HTTPS));
        std::thread::sleep(Duration::from_millis(50));
    }
    for lines in [
        "",
        "x-forwarded-for: 203.0.113.7\r\nx-forwarded-proto: http\r\n",
        "forwarded: for=203.0.113.7;proto=http\r\n",
    ] {
        assert_eq!(ask(lines), (403, true), "{lines}");
    }
}

#[test]
fn the_word_of_others_than_the_proxies_is_not_taken() {
    let server = behind("10.0.0.0/8");
    // This machine reaches the server without a proxy, and nobody reads on that way.
    let key = known_key(&server, "");
    let forged = "x-forwarded-proto: http\r\nx-forwarded-for: 203.0.113.7\r\n";
    assert_eq!(ask(&server, &key, forged).0, 200);
    let log = server.log();
    assert!(!log.contains("203.0.113.7"), "{log}");
}

#[test]
fn a_server_behind_a_proxy_listens_where_others_reach_it_and_needs_the_proxys_network() {
    let refused = |arguments: &[&str]| {
        let output = ampoule()
            .args(["serve", "--json"])
            .args(arguments)
            .output()
            .unwrap();
        assert_fails(&output, "usage.setting", 2);
        json_of(&output)["error"]["message"].to_string()
    };
    let message = refused(&["--listen", "127.0.0.1:0", "--behind-proxy"]);
    assert!(message.contains("--trusted-proxies"), "{message}");
    let behind = ["--behind-proxy", "--trusted-proxies", "10.0.0.0/8"];
    let message = refused(&[&["--listen", "0.0.0.0:0"][..], &behind].concat());
    assert!(
        message.contains("--keys") && !message.contains("--tls-key"),
        "{message}"
    );
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let directory = KeyDirectory::new(&keys, PermissionPolicy::default());
    let settings = KeySettings::new(Role::Infer, "acme".parse().unwrap());
    directory.add(settings, Timestamp::now()).unwrap();
    let mut serve = ampoule()
        .args(["serve", "--json", "--listen", "0.0.0.0:0", "--keys"])
        .arg(keys)
        .args(behind)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let listening = BufReader::new(serve.stdout.take().unwrap()).read_line(&mut line);
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert!(listening.is_ok() && line.contains("0.0.0.0:"), "{line}");
}
