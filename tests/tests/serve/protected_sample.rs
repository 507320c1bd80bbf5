//! The sample configuration with all protections on: each of its lines binds.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ampoule_access::Role;
use ampoule_audit::Identity;
use ampoule_tests::{Reply, Served, ampoule, picture_base64, set_mode, workspace_file};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audited::rows;
use crate::guarded::{bearer, make};
use crate::issuers::{by_secret, encode, now};

const SECRET: &str = "a secret of the tests, and of nobody else";

/// Longest time for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// The sample with directories of the test's, and an auditor and a key.
struct Installed {
    folder: TempDir,
    identity: Identity,
    key: String,
    file: String,
}

/// The server of the sample.
struct Protected {
    served: Served,
    installed: Installed,
}

impl Installed {
    fn new() -> Self {
        let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::generate());
        let here = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for directory in ["trust", "state", "cache", "log"] {
            fs::create_dir(here(directory)).unwrap();
            set_mode(Path::new(&here(directory)), 0o700);
        }
        fs::write(here("auditors"), format!("{}\n", identity.recipient())).unwrap();
        let key = bearer(&make(Path::new(&here("keys")), Role::Infer, |_| {}));
        let mut text = sample();
        for (old, new) in [
            ("/etc/ampoule/trust", here("trust")),
            ("/var/lib/ampoule-serve/state", here("state")),
            ("/var/cache/ampoule-serve", here("cache")),
            ("/var/lib/ampoule-serve/keys", here("keys")),
            ("/var/log/ampoule/audit", here("log/audit")),
            ("/etc/ampoule/auditors", here("auditors")),
        ] {
            assert!(text.contains(old), "{old}");
            text = text.replace(old, &new);
        }
        let file = here("protected.toml");
        fs::write(&file, text).unwrap();
        Self {
            folder,
            identity,
            key,
            file,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Protected {
    fn start() -> Self {
        let installed = Installed::new();
        let mut command = ampoule();
        command.arg("--config").arg(&installed.file);
        command.env("AMPOULE_JWT_SECRET", SECRET);
        command.stderr(fs::File::create(installed.path("stderr")).unwrap());
        // A port that is free, in place of the sample's.
        let served = Served::start(&mut command, &[]);
        Self { served, installed }
    }

    /// Asks as the proxy does for a caller that came with TLS.
    fn ask(&self, path: &str, more: &[(&str, &str)], body: Option<Vec<u8>>) -> Reply {
        let usual = [
            ("host", "your-domain.example"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
            ("authorization", &self.installed.key),
        ];
        let is_given = |name| more.iter().any(|(given, _)| *given == name);
        let usual = usual.into_iter().filter(|(name, _)| !is_given(*name));
        let headers: Vec<_> = usual.chain(more.iter().copied()).collect();
        match body {
            Some(body) => self.served.post_bytes(path, &headers, &body),
            None => self.served.get_with(path, &headers),
        }
    }
}

fn sample() -> String {
    fs::read_to_string(workspace_file("samples/protected.toml")).unwrap()
}

fn code(reply: &Reply) -> Value {
    reply.json()["error"]["code"].clone()
}

fn token(life: u64) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"}).to_string();
    let claims = json!({
        "iss": "https://login.your-domain.example", "aud": "ampoule", "sub": "ann", "iat": now(), "exp": now() + life,
    });
    let signed = format!("{}.{}", encode(header), encode(claims.to_string()));
    let signature = by_secret(SECRET.as_bytes(), signed.as_bytes());
    format!("Bearer {signed}.{}", encode(signature))
}

#[test]
fn every_line_of_the_protected_sample_binds() {
    let server = Protected::start();
    let sample = sample();
    assert!(sample.contains("listen = \"127.0.0.1:8080\""));

    // Keys and tokens are let in, and nobody else.
    assert_eq!(server.ask("/v1/models", &[], None).status, 200);
    for (life, status) in [(7_200, 200), (7_201, 401)] {
        let token = token(life);
        let answer = server.ask("/v1/models", &[("authorization", &token)], None);
        assert_eq!(answer.status, status, "a token of {life} s");
    }
    let nobody = server.ask("/v1/models", &[("authorization", "")], None);
    assert_eq!(nobody.status, 401);

    // Not over plain HTTP, not by another name, not from another site.
    let plain = server.ask("/v1/models", &[("x-forwarded-proto", "http")], None);
    assert_eq!(
        (plain.status, code(&plain)),
        (403, json!("auth.plain-http"))
    );
    let other = server.ask("/v1/models", &[("host", "another.example")], None);
    assert_eq!((other.status, code(&other)), (403, json!("route.host")));
    let page = [("origin", "https://app.your-domain.example")];
    let allowed = server.ask("/v1/models", &page, None);
    assert_eq!(allowed.header("access-control-allow-origin"), page[0].1);
    let foreign = [("origin", "https://another.example")];
    let foreign = server.ask("/v1/embeddings", &foreign, Some(b"{}".to_vec()));
    assert_eq!(
        (foreign.status, code(&foreign)),
        (403, json!("route.origin"))
    );

    // No more than 10 MiB.
    let large = server.ask("/v1/embeddings", &[], Some(vec![b' '; (10 << 20) + 1]));
    assert_eq!(
        (large.status, code(&large)),
        (413, json!("input.body-too-large"))
    );

    // An answer that its request determines is kept.
    let picture = format!("data:image/png;base64,{}", picture_base64());
    let picture = json!([
        {"type": "text", "text": "How many shapes are there?"},
        {"type": "image_url", "image_url": {"url": picture}},
    ]);
    let body = json!({
        "model": "tiny-vlm", "messages": [{"role": "user", "content": picture}], "temperature": 0, "max_tokens": 4,
    });
    let ask = || {
        server.ask(
            "/v1/chat/completions",
            &[("content-type", "application/json")],
            Some(body.to_string().into()),
        )
    };
    let (first, second) = (ask(), ask());
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.header("x-ampoule-cache"), "miss");
    assert_eq!(second.header("x-ampoule-cache"), "hit");
    let text = |reply: &Reply| reply.json()["choices"][0]["message"]["content"].clone();
    assert_eq!(text(&first), text(&second));

    // Twenty requests at once, and then one for each 0.6 s.
    let statuses: Vec<u16> = (0..40)
        .map(|_| server.ask("/v1/models", &[], None).status)
        .collect();
    let let_in = statuses.iter().filter(|status| **status == 200).count();
    assert!(statuses.contains(&429) && let_in <= 20, "{statuses:?}");

    // All of it is in the log, which its auditor alone can read.
    let begun = Instant::now();
    loop {
        let rows = rows(
            &server.installed.path("log/audit"),
            &server.installed.path("state/audit"),
            &server.installed.identity,
        );
        let denied = rows
            .iter()
            .filter(|row| format!("{row:?}").contains("plain-http"))
            .count();
        if denied == 1 && rows.len() >= 50 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{} rows, {denied}", rows.len());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_protected_sample_does_not_start_without_its_secret_or_with_a_weak_one() {
    let installed = Installed::new();
    for secret in [None, Some("short")] {
        let mut command = ampoule();
        command.arg("--config").arg(&installed.file).arg("serve");
        if let Some(secret) = secret {
            command.env("AMPOULE_JWT_SECRET", secret);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("secret-env"),
            "{said}"
        );
    }
}
