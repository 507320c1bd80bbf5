//! Tokens of issuers as credentials: which are accepted, what callers are told of others, and the settings.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ampoule_access::{KeyDirectory, KeySettings, Role, TokenAlgorithm};
use ampoule_signing::{PermissionPolicy, Timestamp};
use ampoule_tests::{Reply, Served, ampoule, assert_fails};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::guarded::{Guarded, SECRET, bearer, issuers, token};
use crate::issuers::{ISSUERS, Issuer};
use crate::token_attacks;

/// Attacks that are at least sent.
const LEAST: usize = 60;

/// A header's value has none of these.
fn fits_a_header(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[test]
#[allow(clippy::print_stdout, reason = "a test prints what it counted")]
fn every_attack_with_a_token_has_one_answer_and_its_reason_in_the_log() {
    let server = Guarded::get();
    let attacks = token_attacks::all();
    let attacks: Vec<_> = attacks
        .iter()
        .filter(|attack| fits_a_header(&attack.token))
        .collect();
    let mut answers = BTreeMap::new();
    for (place, attack) in attacks.iter().enumerate() {
        let lines = format!(
            "authorization: Bearer {}\r\nx-request-id: attack-{place}\r\n",
            attack.token
        );
        let answer = server.ask_with("GET", "/v1/models", &lines, "");
        assert_eq!(answer.status, 401, "{}: {answer:?}", attack.name);
        let challenge = answer.header("www-authenticate").to_owned();
        answers.insert((challenge, answer.body), attack.name.clone());
    }
    println!("{} attacks", attacks.len());
    assert!(attacks.len() >= LEAST);
    assert_eq!(answers.len(), 1, "{answers:#?}");
    // The answer is the one of a wrong key.
    let wrong = format!("Bearer amp_ffffffffffffffff_{}", "ab".repeat(32));
    let answer = server.ask("GET", "/v1/models", &[&wrong], "");
    let ((_, body), _) = answers.first_key_value().unwrap();
    assert_eq!(&answer.body, body);

    let last = format!("attack-{}", attacks.len() - 1);
    let begun = Instant::now();
    while !server.log().contains(&last) {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    let log = server.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let reasons: BTreeMap<String, String> = lines
        .filter_map(|line: Value| {
            let denied = line["denied"].as_str()?.to_owned();
            Some((line["id"].as_str()?.to_owned(), denied))
        })
        .collect();
    for (place, attack) in attacks.iter().enumerate() {
        let reason = reasons.get(&format!("attack-{place}")).unwrap();
        // The header is read first, and what does not look like a token is none.
        let is_right = [attack.fault.code(), "malformed", "too-long"].contains(&reason.as_str());
        assert!(is_right, "{}: {reason}", attack.name);
        // Short ones are part of other words.
        let is_logged = attack.token.len() > 8 && log.contains(&attack.token);
        assert!(!is_logged, "{}", attack.name);
    }
    let admin = token(Role::Admin, &[], &json!({}));
    let metrics = server.ask("GET", "/metrics", &[&admin], "").body;
    for reason in ["token.signature", "token.algorithm", "token.expired"] {
        let line = format!("ampoule_http_requests_denied_total{{reason=\"{reason}\"}}");
        assert!(metrics.contains(&line), "{line}");
    }
}

#[test]
fn a_token_of_each_algorithm_is_served_by_each_family_and_its_subject_is_logged_as_a_hash() {
    let server = Guarded::get();
    for issuer in ISSUERS.iter() {
        let bearer = format!("Bearer {}", issuer.with(&json!({"sub": "ann-of-accounts"})));
        for (path, body) in [
            (
                "/v1/embeddings",
                json!({"model": "every-task", "input": "one"}),
            ),
            ("/api/embed", json!({"model": "every-task", "input": "one"})),
            ("/embed?model=every-task", json!({"inputs": "one"})),
            (
                "/ampoule/v1/models/every-task/text-embedding",
                json!({"texts": ["one"]}),
            ),
        ] {
            let lines = format!(
                "authorization: {bearer}\r\nx-request-id: served-{}\r\n",
                issuer.algorithm
            );
            let answer = server.ask_with("POST", path, &lines, &body.to_string());
            assert_eq!(answer.status, 200, "{}: {answer:?}", issuer.algorithm);
        }
        let forbidden = server.ask("GET", "/metrics", &[&bearer], "");
        assert_eq!(forbidden.status, 403, "{forbidden:?}");
    }
    let id = format!("served-{}", TokenAlgorithm::Hs256);
    let begun = Instant::now();
    let line = loop {
        let log = server.log();
        let mut lines = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        if let Some(line) = lines.find(|line: &Value| line["id"] == id.as_str()) {
            break line;
        }
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(line["subject"].as_str().unwrap().len(), 16, "{line}");
    assert_eq!(line["tenant"], "acme");
    assert!(line.get("key").is_none_or(Value::is_null), "{line}");
    assert!(!server.log().contains("ann-of-accounts"));
}

/// A server of the built-in model with settings of its callers, and the files that these name.
struct Settled {
    served: Served,
    folder: TempDir,
}

impl Settled {
    /// Starts a server with this text under `[auth]`. `FOLDER` stands for the folder.
    fn start(folder: TempDir, auth: &str, variables: &[(&str, &str)]) -> Self {
        let file = folder.path().join("ampoule.toml");
        let auth = auth.replace("FOLDER", folder.path().to_str().unwrap());
        fs::write(&file, format!("[auth]\n{auth}")).unwrap();
        let mut command = ampoule();
        command.envs(variables.iter().copied());
        command.arg("--config").arg(file);
        Self {
            served: Served::listening(&mut command, &[]),
            folder,
        }
    }

    fn get(&self, path: &str, authorization: &str) -> Reply {
        self.served
            .get_with(path, &[("authorization", authorization)])
    }

    #[track_caller]
    fn wait(&self, what: &str, is_true: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_true() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn tokens_alone_are_enough_and_a_file_of_keys_that_became_bad_keeps_the_last_and_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let tables = issuers(folder.path());
    let secret = Issuer::of(TokenAlgorithm::Hs256).secret();
    let settled = Settled::start(folder, &tables, &[(SECRET, &secret)]);
    let status = |authorization: &str| settled.get("/v1/models", authorization).status;
    let rsa = format!("Bearer {}", Issuer::of(TokenAlgorithm::Rs256).good());
    let key = format!("Bearer amp_ffffffffffffffff_{}", "ab".repeat(32));
    assert_eq!(
        (status(&rsa), status(&key), status("Bearer ")),
        (200, 401, 401)
    );

    let admin = token(Role::Admin, &["*"], &json!({}));
    let fault = |authorization: &str| {
        let report = settled.get("/readyz", authorization).json();
        report.get("tokens_error").cloned()
    };
    assert_eq!(fault(&admin), None);
    let file = settled.folder.path().join("RS256.json");
    fs::write(&file, "{\"keys\": [").unwrap();
    settled.wait("the fault", || fault(&admin) == Some(json!("key.jwks")));
    assert_eq!((status(&rsa), fault(&rsa), fault("")), (200, None, None));
    // The issuer withdraws its key.
    let mut other = Issuer::of(TokenAlgorithm::Rs256).stranger.jwk().unwrap();
    other["kid"] = "RS256-2".into();
    fs::write(&file, json!({"keys": [other]}).to_string()).unwrap();
    settled.wait("the withdrawn key", || status(&rsa) == 401);
    assert_eq!(fault(&admin), None);
}

/// Makes a key, and returns its header. The directory is `keys` in the folder.
fn make_key(folder: &Path, role: Role) -> String {
    let directory = KeyDirectory::new(folder.join("keys"), PermissionPolicy::default());
    let settings = KeySettings::new(role, "acme".parse().unwrap());
    bearer(&directory.add(settings, Timestamp::now()).unwrap())
}

#[test]
fn the_mac_key_of_keys_comes_from_a_variable_a_file_or_a_credential() {
    for (auth, variable) in [
        ("mac-key-env = \"KEYS_MAC\"", Some("KEYS_MAC")),
        ("mac-key-file = \"FOLDER/elsewhere/mac\"", None),
        ("mac-key-credential = \"mac\"", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let key = make_key(folder.path(), Role::List);
        let elsewhere = folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        let mac = fs::read_to_string(folder.path().join("keys/mac-key")).unwrap();
        fs::rename(folder.path().join("keys/mac-key"), elsewhere.join("mac")).unwrap();
        let mut variables = vec![("CREDENTIALS_DIRECTORY", elsewhere.to_str().unwrap())];
        if let Some(name) = variable {
            fs::remove_file(elsewhere.join("mac")).unwrap();
            variables.push((name, &mac));
        }
        let auth = format!("keys = \"FOLDER/keys\"\n{auth}");
        let settled = Settled::start(folder, &auth, &variables);
        assert_eq!(settled.get("/v1/models", &key).status, 200, "{auth}");
        let wrong = format!("{}x", &key[..key.len() - 1]);
        assert_eq!(settled.get("/v1/models", &wrong).status, 401, "{auth}");
    }
}

#[test]
fn a_key_file_that_became_bad_is_named_by_readiness_to_those_who_watch_and_to_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let key = make_key(folder.path(), Role::Infer);
    let watcher = make_key(folder.path(), Role::Metrics);
    let settled = Settled::start(folder, "keys = \"FOLDER/keys\"", &[]);
    let report = |authorization: &str| settled.get("/readyz", authorization).json();
    assert_eq!(report(&watcher).get("keys_error"), None);
    let file = settled.folder.path().join("keys/keys.toml");
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    settled.wait("the fault", || {
        report(&watcher)["keys_error"] == "key.malformed"
    });
    for authorization in [&key, "", "Bearer x"] {
        let report = report(authorization);
        assert_eq!(report.get("keys_error"), None, "{report}");
    }
    let shown = report(&watcher).to_string();
    assert!(
        !shown.contains("keys.toml") && !shown.contains("line"),
        "{shown}"
    );
    // The keys that were read last are in force.
    assert_eq!(settled.get("/v1/models", &key).status, 200);
    fs::write(&file, &good).unwrap();
    settled.wait("the mended file", || {
        report(&watcher).get("keys_error").is_none()
    });
}

/// Runs `serve` with settings that it refuses, and returns the message.
#[track_caller]
fn refused(folder: &Path, auth: &str, code: &str) -> String {
    let file = folder.join("ampoule.toml");
    fs::write(&file, auth.replace("FOLDER", folder.to_str().unwrap())).unwrap();
    let mut command = ampoule();
    command.env("SHORT", "too-short");
    command.env_remove("CREDENTIALS_DIRECTORY");
    command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--config"]);
    let output = command.arg(file).output().unwrap();
    let status = match code.split('.').next() {
        Some("usage") => 2,
        Some("io") => 8,
        _ => 3,
    };
    assert_fails(&output, code, status);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn settings_by_which_tokens_could_not_be_checked_are_refused_with_their_key_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::of(TokenAlgorithm::Es256);
    fs::write(folder.path().join("es.json"), issuer.key_set()).unwrap();
    fs::write(folder.path().join("bad.json"), "{}").unwrap();
    let start = "[[auth.jwt]]\nissuer = \"https://a.example\"\naudience = \"ampoule\"\n";
    let rest = "role = \"infer\"\ntenant = \"acme\"\n";
    let es = "algorithm = \"ES256\"\njwks = \"FOLDER/es.json\"\n";
    let hs = "algorithm = \"HS256\"\n";
    for (text, code, key, says) in [
        (
            format!("{start}{rest}"),
            "usage.config",
            "auth.jwt",
            "algorithm",
        ),
        (
            format!("[[auth.jwt]]\n{es}{rest}"),
            "usage.config",
            "auth.jwt",
            "issuer",
        ),
        (
            format!("{start}{rest}algorithm = \"none\"\n"),
            "usage.config",
            "auth.jwt[0].algorithm",
            "line 6",
        ),
        (
            format!("{start}{hs}{rest}secret = \"do-not-repeat-this-secret\"\n"),
            "usage.config",
            "auth.jwt[0].secret",
            "`secret-env`",
        ),
        (
            "[auth]\nkeys = \"x\"\nmac-key = \"do-not-repeat-this-secret\"\n".to_owned(),
            "usage.config",
            "auth.mac-key",
            "`mac-key-credential`",
        ),
        (
            format!("{start}{hs}{rest}"),
            "usage.setting",
            "auth.jwt[0].algorithm",
            "line 4",
        ),
        (
            format!("{start}{hs}{rest}jwks = \"FOLDER/es.json\"\n"),
            "usage.setting",
            "auth.jwt[0].jwks",
            "line 7",
        ),
        (
            format!("{start}{hs}{rest}secret-env = \"UNSET\"\n"),
            "usage.setting",
            "auth.jwt[0].secret-env",
            "not set",
        ),
        (
            format!("{start}{hs}{rest}secret-env = \"SHORT\"\n"),
            "usage.setting",
            "auth.jwt[0].secret-env",
            "found 9",
        ),
        (
            format!("{start}{hs}{rest}secret-credential = \"mac\"\n"),
            "usage.setting",
            "auth.jwt[0].secret-credential",
            "LoadCredential",
        ),
        (
            format!("{start}{hs}{rest}secret-credential = \"../mac\"\n"),
            "usage.setting",
            "auth.jwt[0].secret-credential",
            "begin with no dot",
        ),
        (
            format!("{start}{hs}{rest}secret-env = \"A\"\nsecret-file = \"b\"\n"),
            "usage.setting",
            "auth.jwt[0].secret-env",
            "more than one",
        ),
        (
            format!("{start}{es}{rest}secret-env = \"A\"\n"),
            "usage.setting",
            "auth.jwt[0].secret-env",
            "no secret",
        ),
        (
            format!("{start}{rest}algorithm = \"RS256\"\njwks = \"FOLDER/es.json\"\n"),
            "key.jwks-empty",
            "auth.jwt[0].jwks",
            "by RS256",
        ),
        (
            format!("{start}{rest}algorithm = \"RS256\"\njwks = \"FOLDER/bad.json\"\n"),
            "key.jwks",
            "auth.jwt[0].jwks",
            "line 7",
        ),
        (
            format!("{start}{rest}algorithm = \"RS256\"\n"),
            "usage.setting",
            "auth.jwt[0].algorithm",
            "`jwks`",
        ),
        (
            format!("{start}{es}tenant = \"acme\"\n"),
            "usage.setting",
            "auth.jwt[0]",
            "role-claim",
        ),
        (
            format!("{start}{es}{rest}tenant-claim = \"t\"\n"),
            "usage.setting",
            "auth.jwt[0].tenant",
            "line 7",
        ),
        (
            format!("{start}{es}{rest}tenants = [\"acme\"]\n"),
            "usage.token-settings",
            "auth.jwt[0].issuer",
            "`tenant-claim`",
        ),
        (
            format!("{start}{es}{rest}roles = [\"root\"]\n"),
            "usage.config",
            "auth.jwt[0].roles",
            "line 8",
        ),
        (
            format!("{start}{es}{rest}{start}{es}{rest}"),
            "usage.token-settings",
            "auth.jwt",
            "twice",
        ),
        (
            format!("[auth]\nsession-timeout = \"8d\"\n{start}{es}{rest}"),
            "usage.setting",
            "auth.session-timeout",
            "line 2",
        ),
        (
            "[auth]\nsession-timeout = \"2h\"\n".to_owned(),
            "usage.setting",
            "auth.session-timeout",
            "[[auth.jwt]]",
        ),
        (
            "[auth]\nmac-key-env = \"A\"\n".to_owned(),
            "usage.setting",
            "auth.mac-key-env",
            "`keys`",
        ),
    ] {
        let message = refused(folder.path(), &text, code);
        assert!(message.contains(&format!("`{key}")), "{key}: {message}");
        assert!(message.contains(says), "{says}: {message}");
        assert!(!message.contains("do-not-repeat"), "{message}");
    }
}
