//! The proxies of the guide, by their sample files, in front of the server.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ampoule_access::Role;
use ampoule_tests::{
    Authority, Issued, Operator, Served, WrittenBundle, ampoule, installed_program, test_guest,
    workspace_file,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audited::wait_until;
use crate::guarded::{bearer, make};
use crate::metrics::{series, sum};

/// Longest time for anything.
const PATIENCE: Duration = Duration::from_secs(30);

const NAME: &str = "models.example";

/// A client's address on this machine that is not the proxy's.
const CLIENT: &str = "127.0.0.2";

/// A proxy with TLS, and the server behind it.
struct Proxied {
    proxy: Child,
    port: u16,
    _served: Served,
    key: String,
    folder: TempDir,
    authority: Authority,
    _operator: Operator,
    _bundles: [WrittenBundle; 2],
}

impl Drop for Proxied {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

impl Proxied {
    fn nginx() -> Self {
        Self::start(|folder, port, server| {
            let sample = sample("nginx.conf", folder, server);
            let sample = replaced(&sample, "listen 443", &format!("listen 127.0.0.1:{port}"));
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
            let temporary = temporary.map(|name| format!("{name}_temp_path {folder:?};\n"));
            // What Debian's /etc/nginx/nginx.conf has around the sample.
            let text = format!(
                "daemon off;\nmaster_process off;\npid {:?};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{}{sample}}}\n",
                folder.join("pid"),
                temporary.concat(),
            );
            let file = folder.join("nginx.conf");
            std::fs::write(&file, text).unwrap();
            let mut nginx = Command::new(installed_program("nginx"));
            nginx.arg("-p").arg(folder).arg("-c").arg(file);
            nginx
        })
    }

    fn caddy() -> Self {
        Self::start(|folder, port, server| {
            let sample = sample("Caddyfile", folder, server);
            // Neither the port of redirections nor that of Caddy's own interface, which are one each for a machine.
            let text = format!(
                "{{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port {port}\n\tdefault_bind 127.0.0.1\n}}\n{sample}"
            );
            let file = folder.join("Caddyfile");
            std::fs::write(&file, text).unwrap();
            let mut caddy = Command::new(installed_program("caddy"));
            caddy.args(["run", "--adapter", "caddyfile", "--config"]);
            caddy.arg(file).env("HOME", folder);
            caddy
        })
    }

    fn start(proxy: impl FnOnce(&Path, u16, &Served) -> Command) -> Self {
        let (operator, folder) = (Operator::new(), tempfile::tempdir().unwrap());
        let endless = operator
            .publisher()
            .bundle(test_guest("endless_generation"));
        let endless = endless.named("endless").tasks(&["text-generation"]);
        let bundles = [operator.good().write(), endless.write()];
        let keys = folder.path().join("keys");
        let key = bearer(&make(&keys, Role::Admin, |_| {}));
        let file = folder.path().join("ampoule.toml");
        let text = format!(
            "trust = {:?}\n[server]\nbehind-proxy = true\ntrusted-proxies = [\"127.0.0.1\"]\nhost-names = [\"{NAME}\"]\n\
             [auth]\nkeys = {keys:?}\n[[model]]\npath = {:?}\nname = \"every-task\"\n\
             [[model]]\npath = {:?}\nname = \"endless\"\n",
            operator.trust(),
            bundles[0].path(),
            bundles[1].path(),
        );
        std::fs::write(&file, text).unwrap();
        let mut command = ampoule();
        command.arg("--config").arg(file);
        command.stderr(File::create(folder.path().join("log")).unwrap());
        let served = Served::start(&mut command, &["--access-log", "--log-format", "json"]);
        let authority = Authority::new();
        authority.server("proxy").replace(&Issued {
            certificate: folder.path().join("fullchain.pem"),
            key: folder.path().join("key.pem"),
        });
        let port = free_port();
        let mut command = proxy(folder.path(), port, &served);
        let log = File::create(folder.path().join("proxy-log")).unwrap();
        let proxy = command.stdin(Stdio::null()).stderr(log).spawn();
        let proxy = proxy.unwrap_or_else(|error| panic!("see `cargo xtask setup`: {error}"));
        let proxied = Self {
            proxy,
            port,
            _served: served,
            key,
            folder,
            authority,
            _operator: operator,
            _bundles: bundles,
        };
        let begun = Instant::now();
        while !proxied.curl("/healthz").output().unwrap().status.success() {
            assert!(begun.elapsed() < PATIENCE, "{}", proxied.log("proxy-log"));
            std::thread::sleep(Duration::from_millis(20));
        }
        proxied
    }

    fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// Returns curl with a caller's key, from an address of its own.
    fn curl(&self, path: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--no-buffer",
            "--max-time",
            "60",
        ]);
        curl.args(["--interface", CLIENT, "--cacert"]);
        curl.arg(self.authority.certificate());
        curl.arg("--resolve")
            .arg(format!("{NAME}:{}:127.0.0.1", self.port));
        curl.arg("--header")
            .arg(format!("Authorization: {}", self.key));
        curl.arg(format!("https://{NAME}:{}{path}", self.port));
        curl
    }
}

/// Returns a port that nothing listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Returns a sample file with the test's certificate and the server's port.
#[track_caller]
fn sample(name: &str, folder: &Path, server: &Served) -> String {
    let file = workspace_file(&format!("samples/deployment/{name}"));
    let text = std::fs::read_to_string(file).unwrap();
    let text = replaced(&text, "/etc/ampoule/tls", folder.to_str().unwrap());
    let port = server.address().port();
    replaced(&text, "127.0.0.1:8080", &format!("127.0.0.1:{port}"))
}

#[track_caller]
fn replaced(text: &str, old: &str, new: &str) -> String {
    assert!(text.contains(old), "{old}");
    text.replace(old, new)
}

#[track_caller]
fn body(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn callers_reach_the_server(proxied: &Proxied) {
    let said = proxied
        .curl("/v1/models")
        .args(["--write-out", "\n%{http_version}"])
        .output();
    let said = body(&said.unwrap());
    let (models, version) = said.rsplit_once('\n').unwrap();
    assert_eq!(version, "2");
    let models: Value = serde_json::from_str(models).unwrap();
    assert_eq!(models["object"], "list", "{models}");
}

fn a_callers_address_is_its_own_and_not_one_that_it_names(proxied: &Proxied) {
    let mut curl = proxied.curl("/v1/models/every-task");
    curl.args(["--header", "X-Forwarded-For: 203.0.113.9"]);
    curl.args(["--header", "Forwarded: for=203.0.113.9"]);
    curl.args(["--header", "X-Forwarded-Proto: http"]);
    let model = body(&curl.output().unwrap());
    assert!(model.contains("every-task"), "{model}");
    let begun = Instant::now();
    let peers = loop {
        let log = proxied.log("log");
        let lines = log.lines().filter(|line| line.contains("/v1/models/"));
        let lines: Vec<_> = lines.map(str::to_owned).collect();
        if !lines.is_empty() {
            break lines.concat();
        }
        assert!(begun.elapsed() < PATIENCE, "{log}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(
        peers.contains(CLIENT) && !peers.contains("203.0.113.9"),
        "{peers}"
    );
}

fn a_refusal_of_a_large_upload_is_the_servers_own(proxied: &Proxied) {
    let file = proxied.folder.path().join("large");
    File::create(&file).unwrap().set_len(33 << 20).unwrap();
    let mut curl = proxied.curl("/v1/embeddings");
    curl.args([
        "--header",
        "Content-Type: application/json",
        "--data-binary",
    ]);
    let output = curl.arg(format!("@{}", file.display())).output().unwrap();
    let error: Value = serde_json::from_str(&body(&output)).unwrap();
    assert_eq!(error["error"]["code"], "input.body-too-large", "{error}");
}

fn a_stream_comes_piece_by_piece_and_ends_with_its_caller(proxied: &Proxied) {
    let request =
        json!({"model": "endless", "prompt": "one", "stream": true, "max_tokens": 1_000_000});
    let mut curl = proxied.curl("/v1/completions");
    curl.args(["--header", "Content-Type: application/json", "--data"]);
    let mut curl = curl
        .arg(request.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(curl.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("data: "), "{first}");
    let running = || {
        let metrics = body(&proxied.curl("/metrics").output().unwrap());
        sum(&series(&metrics), "ampoule_http_requests_in_flight", &[])
    };
    // The one for the metrics is in flight, too.
    assert_eq!(running(), 2.0);
    curl.kill().unwrap();
    curl.wait().unwrap();
    wait_until("the caller's going is not noticed", || running() <= 1.0);
}

#[test]
fn nginx_by_the_sample_serves_callers_by_tls() {
    behaves(&Proxied::nginx());
}

#[test]
fn caddy_by_the_sample_serves_callers_by_tls() {
    behaves(&Proxied::caddy());
}

fn behaves(proxied: &Proxied) {
    callers_reach_the_server(proxied);
    a_callers_address_is_its_own_and_not_one_that_it_names(proxied);
    a_refusal_of_a_large_upload_is_the_servers_own(proxied);
    a_stream_comes_piece_by_piece_and_ends_with_its_caller(proxied);
}
