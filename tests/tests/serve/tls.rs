//! TLS: versions and protocols, what is refused, certificates that change, and certificates of clients.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use ampoule::{Host, Timestamp, TrustStore};
use ampoule_access::{KeyDirectory, KeySettings, Role};
use ampoule_server::{
    Metrics, Models, Service, ServiceSettings, Tls, TlsIdentity, TlsSettings, serve_tls,
};
use ampoule_signing::PermissionPolicy;
use ampoule_tests::{
    Authority, Issued, RawClient, Served, TlsClient, ampoule, assert_fails, json_of,
};
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;

/// Longest time for anything that has no promise.
const PATIENCE: Duration = Duration::from_secs(60);

/// Issuer of all certificates of these tests.
pub(crate) static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

/// The certificate of servers whose certificate does not matter.
pub(crate) static SERVER: LazyLock<Issued> = LazyLock::new(|| AUTHORITY.server("any"));

/// Starts a server with this certificate and further arguments, and does not wait for its models.
pub(crate) fn served_by(certificate: &Issued, arguments: &[&str]) -> Served {
    let arguments = [&certificate.arguments()[..], arguments].concat();
    Served::listening(&mut ampoule(), &arguments)
}

/// Makes a client that offers these protocols.
pub(crate) fn client(protocols: &[&str]) -> TlsClient {
    TlsClient::new(&AUTHORITY.certificate(), protocols)
}

#[test]
fn both_versions_speak_the_protocol_that_the_client_prefers_of_both() {
    let served = served_by(&SERVER, &[]);
    for (version, expected) in [
        (&TLS12, ProtocolVersion::TLSv1_2),
        (&TLS13, ProtocolVersion::TLSv1_3),
    ] {
        for (offered, chosen) in [
            (&[][..], None),
            (&["http/1.1"], Some("http/1.1")),
            (&["h2"], Some("h2")),
            (&["http/1.1", "h2"], Some("h2")),
            (&["spdy/3", "http/1.1"], Some("http/1.1")),
        ] {
            let client = TlsClient::of_version(&AUTHORITY.certificate(), offered, version);
            let mut stream = client.connect(served.address()).unwrap();
            assert_eq!(stream.version(), Some(expected));
            assert_eq!(stream.protocol().as_deref(), chosen, "{offered:?}");
            if chosen != Some("h2") {
                assert_eq!(stream.get("/healthz", "").unwrap().status, 200);
                assert_eq!(stream.get("/v1/nothing", "").unwrap().status, 404);
            }
        }
        let strange = TlsClient::of_version(&AUTHORITY.certificate(), &["spdy/3"], version);
        assert!(strange.connect(served.address()).is_err());
    }
}

#[test]
fn the_oldest_version_is_as_configured() {
    let served = served_by(&SERVER, &["--tls-min-version", "1.3"]);
    let of = |version| TlsClient::of_version(&AUTHORITY.certificate(), &[], version);
    assert!(of(&TLS12).connect(served.address()).is_err());
    let answer = of(&TLS13).get(served.address(), "/healthz", "");
    assert_eq!(answer.unwrap().status, 200);
}

/// Shakes hands by `openssl s_client`, and returns what it printed.
fn s_client(served: &Served, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-brief",
            "-connect",
            &served.address().to_string(),
            "-CAfile",
        ])
        .arg(AUTHORITY.certificate())
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    (output.status.success(), printed)
}

#[test]
fn old_versions_weak_suites_and_renegotiation_are_refused() {
    let rsa = AUTHORITY.rsa_server("rsa");
    let served = served_by(&rsa, &[]);
    let weakest = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    let good = "ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0";
    let (is_open, printed) = s_client(&served, &["-tls1_2", "-cipher", good]);
    assert!(is_open && printed.contains("TLSv1.2"), "{printed}");
    for (arguments, alert) in [
        (&["-tls1", "-cipher", weakest][..], "SSL alert number"),
        (&["-tls1_1", "-cipher", weakest], "SSL alert number"),
        // CBC, RSA without forward secrecy, finite fields, no encryption, no authentication.
        (
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"],
            "handshake failure",
        ),
        (
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384:@SECLEVEL=0"],
            "handshake failure",
        ),
        (
            &["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"],
            "handshake failure",
        ),
        (
            &[
                "-tls1_2",
                "-cipher",
                "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0",
            ],
            "handshake failure",
        ),
        (
            &["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"],
            "handshake failure",
        ),
        (
            &["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"],
            "handshake failure",
        ),
        (
            &["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"],
            "handshake failure",
        ),
    ] {
        let (is_open, printed) = s_client(&served, arguments);
        assert!(
            !is_open && printed.contains(alert),
            "{arguments:?}: {printed}"
        );
    }
    let mut renegotiates = Command::new("openssl")
        .args([
            "s_client",
            "-tls1_2",
            "-connect",
            &served.address().to_string(),
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A line with this letter alone asks for another handshake.
    renegotiates
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"R\n")
        .unwrap();
    let output = renegotiates.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    let (_, after) = printed.split_once("RENEGOTIATING").unwrap();
    assert!(
        after.contains("error:") && !after.contains("verify return"),
        "{printed}"
    );
    assert!(!output.status.success(), "{printed}");
}

#[test]
fn http_without_tls_is_told_so_in_the_familys_form() {
    let served = served_by(&SERVER, &[]);
    let address = served.address();
    let mut openai = RawClient::connect(address).unwrap();
    let answer = openai.get("/v1/models").unwrap();
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["code"], "input.plain-http");
    assert_eq!(openai.to_end().unwrap().0, 0, "and the connection ends");
    let mut ollama = RawClient::connect(address).unwrap();
    let answer = ollama.get("/api/tags").unwrap();
    let message = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(message.contains("https://"), "{message}");
    let log = client(&[]).get(address, "/healthz", "").unwrap();
    assert_eq!(log.status, 200, "others are served");
}

#[test]
fn a_handshake_that_does_not_come_to_its_end_is_let_go() {
    let served = served_by(&SERVER, &["--head-timeout", "300ms"]);
    for begin in [
        &b""[..],
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut slow = TcpStream::connect(served.address()).unwrap();
        slow.set_read_timeout(Some(PATIENCE)).unwrap();
        slow.write_all(begin).unwrap();
        let begun = Instant::now();
        let mut rest = Vec::new();
        let _ = slow.read_to_end(&mut rest);
        assert!(begun.elapsed() < Duration::from_secs(10), "{begin:?}");
    }
    // The time for a head goes on after the handshake.
    let mut silent = client(&[]).connect(served.address()).unwrap();
    let begun = Instant::now();
    let _ = silent.read(&mut [0; 1]);
    assert!(begun.elapsed() < Duration::from_secs(10));
    let answer = client(&[]).get(served.address(), "/healthz", "");
    assert_eq!(answer.unwrap().status, 200);
}

#[test]
fn a_client_without_room_for_its_connection_is_told_so_by_tls() {
    let served = served_by(&SERVER, &["--connections", "1", "--body-timeout", "30s"]);
    let mut busy = client(&[]).connect(served.address()).unwrap();
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 9000\r\nexpect: 100-continue\r\n\r\n";
    busy.write_all(head.as_bytes()).unwrap();
    assert_eq!(busy.answer().unwrap().status, 100, "its body is read");
    let mut refused = client(&["h2", "http/1.1"])
        .connect(served.address())
        .unwrap();
    assert_eq!(refused.protocol().as_deref(), Some("http/1.1"));
    let answer = refused.get("/v1/models", "").unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("server.connections"), "{answer:?}");
}

/// A server whose log goes to a file.
struct Logged {
    served: Served,
    folder: TempDir,
}

impl Logged {
    fn start(certificate: &Issued, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let arguments = [&certificate.arguments()[..], &["-v"], arguments].concat();
        let served = Served::listening(ampoule().stderr(log), &arguments);
        Self { served, folder }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn wait_for(&self, words: &str) {
        let begun = Instant::now();
        while !self.log().contains(words) {
            assert!(begun.elapsed() < PATIENCE, "{words}: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn der_of(issued: &Issued) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    let certificate = rustls::pki_types::CertificateDer::from_pem_file(&issued.certificate);
    certificate.unwrap().to_vec()
}

#[test]
fn a_new_certificate_is_served_and_a_bad_one_is_told_of_once() {
    let files = AUTHORITY.server("followed");
    let (first, second) = (AUTHORITY.server("first"), AUTHORITY.server("second"));
    first.replace(&files);
    let server = Logged::start(&files, &[]);
    let address = server.served.address();
    let shown = || client(&[]).connect(address).unwrap().certificate();
    assert_eq!(shown(), der_of(&first));
    let mut open = client(&[]).connect(address).unwrap();
    assert_eq!(open.get("/healthz", "").unwrap().status, 200);
    second.replace(&files);
    server.wait_for("a new certificate is served");
    assert_eq!(shown(), der_of(&second));
    assert_eq!(open.get("/healthz", "").unwrap().status, 200, "it goes on");
    fs::copy(&first.certificate, &files.certificate).unwrap();
    server.wait_for("tls.key-mismatch");
    std::thread::sleep(Duration::from_millis(2_200));
    assert_eq!(shown(), der_of(&second));
    let warnings = server
        .log()
        .matches("the one before is served still")
        .count();
    assert_eq!(warnings, 1, "{}", server.log());
    // Another fault is told, too.
    AUTHORITY.expired("late").replace(&files);
    server.wait_for("tls.expired");
    first.replace(&files);
    let begun = Instant::now();
    while shown() != der_of(&first) {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn identity(issued: &Issued) -> TlsIdentity {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let (certificate, key) = (read(&issued.certificate), read(&issued.key));
    TlsIdentity::from_pem(&certificate, &key, Timestamp::now()).unwrap()
}

#[test]
fn sixteen_clients_lose_nothing_through_two_hundred_new_certificates() {
    let identities = ["one", "other"].map(|name| identity(&AUTHORITY.server(name)));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let models = Models::default();
    let host = Host::builder().trust(TrustStore::new()).build().unwrap();
    let metrics = Metrics::new(&models);
    let service = Service::new(host, models, metrics, ServiceSettings::default());
    let tls = Tls::new(identities[0].clone(), TlsSettings::default()).unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap();
    let (alive, gone) = tokio::sync::oneshot::channel::<()>();
    let ended = async {
        let _ = gone.await;
    };
    let served = serve_tls(
        listener,
        tls.clone(),
        service,
        ended,
        Duration::from_secs(10),
    );
    let served = runtime.spawn(served);
    let is_over = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (is_over, asked) = (Arc::clone(&is_over), Arc::clone(&asked));
            std::thread::spawn(move || {
                let client = client(&["http/1.1"]);
                let mut open = client.connect(address).unwrap();
                while !is_over.load(Ordering::Relaxed) {
                    let anew = client.get(address, "/healthz", "");
                    assert_eq!(anew.unwrap().status, 200);
                    assert_eq!(open.get("/healthz", "").unwrap().status, 200);
                    asked.fetch_add(2, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for number in 0..200 {
        tls.replace(identities[number % 2].clone());
        std::thread::sleep(Duration::from_millis(10));
    }
    is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked > 200, "{asked} requests through 200 certificates");
    drop(alive);
    assert!(
        runtime.block_on(served).unwrap(),
        "nothing had to be stopped"
    );
}

#[track_caller]
fn refused(arguments: &[&str], code: &str, status: i32) -> String {
    let output = ampoule()
        .args(["serve", "--json", "--listen", "127.0.0.1:0"])
        .args(arguments)
        .output()
        .unwrap();
    assert_fails(&output, code, status);
    json_of(&output)["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_certificate_or_a_key_that_cannot_be_used_is_refused_at_the_start() {
    let (one, other) = (AUTHORITY.server("good"), AUTHORITY.server("another"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let key = fs::read_to_string(&one.key).unwrap();
    let certificate = fs::read_to_string(&one.certificate).unwrap();
    let with = |certificate: &Path, key: &Path, code: &str| {
        let issued = Issued {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        let message = refused(&issued.arguments(), code, 3);
        assert!(!message.contains("BEGIN"), "{message}");
        message
    };
    let open = with(
        &one.certificate,
        &file("open.key", &key, 0o644),
        "trust.permissions",
    );
    assert!(open.contains("open.key"), "{open}");
    with(
        &file("writable.pem", &certificate, 0o666),
        &one.key,
        "trust.permissions",
    );
    with(&one.certificate, &other.key, "tls.key-mismatch");
    let expired = AUTHORITY.expired("expired");
    let told = with(&expired.certificate, &expired.key, "tls.expired");
    assert!(told.contains("not valid now"), "{told}");
    with(&file("empty.pem", "", 0o600), &one.key, "tls.certificate");
    with(&one.key, &one.key, "tls.certificate");
    let cut = &certificate[..certificate.len() / 2];
    with(&file("cut.pem", cut, 0o600), &one.key, "tls.certificate");
    with(&one.certificate, &file("empty.key", "", 0o600), "tls.key");
    let two = format!("{key}{key}");
    with(&one.certificate, &file("two.key", &two, 0o600), "tls.key");
    let mangled = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    with(
        &one.certificate,
        &file("mangled.key", mangled, 0o600),
        "tls.key",
    );
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let told = with(
        &one.certificate,
        &file("locked.key", locked, 0o600),
        "tls.key",
    );
    assert!(told.contains("password"), "{told}");
    let link = folder.path().join("link.key");
    std::os::unix::fs::symlink(&one.key, &link).unwrap();
    with(&one.certificate, &link, "file.symlink");
}

/// Makes a key directory with one key, and returns the key's name and text.
fn keyed(directory: &Path, role: Role) -> (String, String) {
    let keys = KeyDirectory::new(directory, PermissionPolicy::default());
    let settings = KeySettings::new(role, "acme".parse().unwrap());
    let key = keys.add(settings, Timestamp::now()).unwrap();
    (key.record.name.to_string(), key.text.reveal().to_string())
}

#[test]
fn an_address_that_others_can_reach_is_served_with_tls_and_keys_alone() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let (_, key) = keyed(&keys, Role::Infer);
    let keys = ["--keys", keys.to_str().unwrap()];
    let tls = SERVER.arguments();
    let listen = ["--listen", "0.0.0.0:0"];
    for (arguments, missing, is_there) in [
        (vec![], &["--keys", "--tls-certificate"][..], &[][..]),
        (tls.to_vec(), &["--keys"], &["--tls-certificate"]),
        (
            keys.to_vec(),
            &["--tls-certificate", "--tls-key"],
            &["--keys"],
        ),
    ] {
        let output = ampoule()
            .args(["serve", "--json"])
            .args(listen)
            .args(&arguments)
            .output()
            .unwrap();
        assert_fails(&output, "usage.setting", 2);
        let message = json_of(&output)["error"]["message"].to_string();
        assert!(
            missing.iter().all(|option| message.contains(option)),
            "{message}"
        );
        assert!(
            !is_there.iter().any(|option| message.contains(option)),
            "{message}"
        );
    }
    let mut command = ampoule();
    let arguments = [&tls[..], &keys, &["--listen", "0.0.0.0:0"]].concat();
    let mut serve = command
        .args(["serve", "--json"])
        .args(&arguments)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(serve.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let listening: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = listening["listening"].as_str().unwrap().rsplit(':').next();
    let address = format!("127.0.0.1:{}", port.unwrap()).parse().unwrap();
    let ask = |lines: &str| client(&[]).get(address, "/v1/models", lines).unwrap();
    assert_eq!(ask("").status, 401);
    let lines = format!("authorization: Bearer {key}\r\n");
    assert_eq!(ask(&lines).status, 200);
    serve.kill().unwrap();
    serve.wait().unwrap();
}

/// A server that asks its clients for certificates, and one of whose keys stands for `CN=batch,O=Acme`.
struct ForClients {
    served: Served,
    name: String,
    folder: TempDir,
}

impl ForClients {
    fn start(need: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (name, _) = keyed(&folder.path().join("keys"), Role::Infer);
        let text = format!(
            "[server.tls]\ncertificate = {:?}\nkey = {:?}\nclient-ca = {:?}\nclient-certificates = \"{need}\"\n\
             [auth]\nkeys = {:?}\n[[auth.certificate]]\nsubject = \"CN=batch,O=Acme\"\nkey = \"{name}\"\n",
            SERVER.certificate,
            SERVER.key,
            AUTHORITY.certificate(),
            folder.path().join("keys"),
        );
        let file = folder.path().join("ampoule.toml");
        fs::write(&file, text).unwrap();
        let mut command = ampoule();
        command.arg("--config").arg(file);
        Self {
            served: Served::listening(&mut command, &[]),
            name,
            folder,
        }
    }

    /// Asks for the list of models with this certificate. Returns the status, if there is an answer.
    fn ask(&self, certificate: Option<&Issued>, lines: &str) -> Option<u16> {
        let issuer = AUTHORITY.certificate();
        let client = match certificate {
            None => TlsClient::new(&issuer, &[]),
            Some(own) => TlsClient::certified(&issuer, &[], own),
        };
        let answer = client.get(self.served.address(), "/v1/models", lines);
        answer.ok().map(|answer| answer.status)
    }
}

#[test]
fn a_certificate_of_a_client_stands_for_the_key_that_its_subject_is_given() {
    let batch = AUTHORITY.client("batch", "/O=Acme/CN=batch");
    let unknown = AUTHORITY.client("unknown", "/O=Acme/CN=unknown");
    let turned = AUTHORITY.client("turned", "/CN=batch/O=Acme");
    let foreign = Authority::new();
    let foreign = foreign.client("batch", "/O=Acme/CN=batch");
    let server = ForClients::start("optional");
    assert_eq!(server.ask(Some(&batch), ""), Some(200));
    assert_eq!(server.ask(None, ""), Some(401));
    assert_eq!(server.ask(Some(&unknown), ""), Some(401));
    assert_eq!(server.ask(Some(&turned), ""), Some(401), "another subject");
    assert_eq!(server.ask(Some(&foreign), ""), None, "another issuer");
    // Whoever presents a key means the key.
    let wrong = "authorization: Bearer amp_0000000000000000_";
    let wrong = format!("{wrong}{}\r\n", "0".repeat(64));
    assert_eq!(server.ask(Some(&batch), &wrong), Some(401));
    let keys = server.folder.path().join("keys");
    let keys = KeyDirectory::new(keys, PermissionPolicy::default());
    let name = server.name.parse().unwrap();
    keys.revoke(&[name], Timestamp::now()).unwrap();
    let begun = Instant::now();
    while server.ask(Some(&batch), "") != Some(401) {
        assert!(begun.elapsed() < PATIENCE, "a revoked key");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap()
}

#[test]
fn a_certificate_that_ends_while_it_is_served_is_told_of_as_such() {
    let files = AUTHORITY.until("ends", "/CN=localhost", in_seconds(4));
    let server = Logged::start(&files, &[]);
    server.wait_for("the time of the certificate that is served is over");
    std::thread::sleep(Duration::from_millis(2_200));
    let log = server.log();
    assert!(!log.contains("cannot be used"), "{log}");
    assert_eq!(log.matches("is over").count(), 1, "{log}");
}

#[test]
fn an_open_connection_has_its_certificates_key_until_the_certificate_ends() {
    let server = ForClients::start("optional");
    let batch = AUTHORITY.until("short", "/O=Acme/CN=batch", in_seconds(8));
    let client = TlsClient::certified(&AUTHORITY.certificate(), &[], &batch);
    let mut open = client.connect(server.served.address()).unwrap();
    let begun = Instant::now();
    assert_eq!(open.get("/v1/models", "").unwrap().status, 200);
    while open.get("/v1/models", "").unwrap().status != 401 {
        assert!(begun.elapsed() < PATIENCE, "it has ended");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn sessions_are_resumed_where_no_client_has_a_certificate() {
    let without = served_by(&SERVER, &[]);
    let with = ForClients::start("optional");
    let own = AUTHORITY.client("resumed", "/O=Acme/CN=batch");
    let issuer = AUTHORITY.certificate();
    for version in [&TLS12, &TLS13] {
        let is_resumed = |client: &TlsClient, served: &Served| {
            // Tickets come beside the answer.
            client.get(served.address(), "/healthz", "").unwrap();
            client.connect(served.address()).unwrap().is_resumed()
        };
        let anonymous = || TlsClient::of_version(&issuer, &[], version);
        let certified = TlsClient::certified_of_version(&issuer, &own, version);
        assert!(is_resumed(&anonymous(), &without));
        assert!(!is_resumed(&anonymous(), &with.served));
        assert!(!is_resumed(&certified, &with.served));
    }
}

#[test]
fn a_subject_with_two_keys_is_refused_as_a_setting() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let names = [Role::Infer, Role::Admin].map(|role| keyed(&keys, role).0);
    let table = |name: &str| {
        format!("[[auth.certificate]]\nsubject = \"CN=batch,O=Acme\"\nkey = {name:?}\n")
    };
    let text = format!(
        "[server.tls]\ncertificate = {:?}\nkey = {:?}\nclient-ca = {:?}\n[auth]\nkeys = {keys:?}\n{}{}",
        SERVER.certificate,
        SERVER.key,
        AUTHORITY.certificate(),
        table(&names[0]),
        table(&names[1]),
    );
    let file = folder.path().join("ampoule.toml");
    fs::write(&file, text).unwrap();
    let message = refused(&["--config", file.to_str().unwrap()], "usage.setting", 2);
    for word in [
        "CN=batch,O=Acme",
        "line 7",
        "line 11",
        "auth.certificate[1].subject",
        "ampoule.toml",
    ] {
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[test]
fn a_client_without_a_certificate_that_is_required_is_refused_in_the_handshake() {
    let batch = AUTHORITY.client("required", "/O=Acme/CN=batch");
    let server = ForClients::start("required");
    assert_eq!(server.ask(Some(&batch), ""), Some(200));
    assert_eq!(server.ask(None, ""), None);
}

#[test]
fn certificates_of_clients_that_nobody_asks_for_are_refused_as_a_setting() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    keyed(&keys, Role::Infer);
    let table = "[[auth.certificate]]\nsubject = \"CN=a\"\nkey = \"0123456789abcdef\"\n";
    for (text, word) in [
        (table.to_owned(), "client-ca"),
        (format!("[auth]\nkeys = {keys:?}\n{table}"), "client-ca"),
        (table.replace("CN=a", "nobody"), "CN=batch,O=Acme"),
    ] {
        let file = folder.path().join("ampoule.toml");
        fs::write(&file, text).unwrap();
        let output = ampoule()
            .args(["serve", "--json", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let message = json_of(&output)["error"]["message"].to_string();
        assert!(
            message.contains(word) && message.contains("line"),
            "{message}"
        );
    }
}

#[test]
fn a_reader_by_tls_who_takes_nothing_is_let_go() {
    let served = served_by(&SERVER, &["--stall-timeout", "700ms"]);
    let mut stalled = client(&["http/1.1"]).connect(served.address()).unwrap();
    let length = stalled.get("/openapi.json", "").unwrap().body.len();
    let times = (64 << 20) / length;
    let request = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let sent = stalled.write_all(request.repeat(times).as_bytes());
    let open = || {
        let answer = client(&[]).get(served.address(), "/metrics", "").unwrap();
        let line = answer
            .body
            .lines()
            .find_map(|line| line.strip_prefix("ampoule_connections "));
        line.unwrap().parse::<f64>().unwrap()
    };
    let begun = Instant::now();
    while open() > 1.5 {
        assert!(begun.elapsed() < PATIENCE, "it is open still");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut rest = Vec::new();
    let read = stalled.read_to_end(&mut rest);
    let is_whole = sent.is_ok() && read.is_ok() && rest.len() >= times * length;
    assert!(!is_whole);
}
