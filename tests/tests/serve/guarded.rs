//! A server that needs API keys, and the keys.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ampoule_access::{KeyDirectory, KeySettings, NewKey, Rates, Role, Scope, TokenAlgorithm};
use ampoule_signing::{PermissionPolicy, Timestamp};
use ampoule_tests::{Operator, Served, WrittenBundle, ampoule, read_answer, test_guest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::issuers::{AUDIENCE, ISSUERS, Issuer};

/// Name of an issuer whose claims name the role and the models. It signs by the keys of the one of EdDSA.
pub(crate) const BY_CLAIMS: &str = "https://claims.example";
/// Variable with the secret of the issuer of HS256.
pub(crate) const SECRET: &str = "ISSUERS_SECRET";

static RUNNING: Mutex<Weak<Guarded>> = Mutex::new(Weak::new());

/// A server of `every-task`, with the alias `acme/every-task`, and of `tiny-vlm`, that accepts keys and tokens. It logs
/// each request to a file.
pub(crate) struct Guarded {
    pub(crate) served: Served,
    folder: TempDir,
    _operator: Operator,
    _bundles: Vec<WrittenBundle>,
}

/// An answer, and the lines of its head.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Returns a header's value; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            (found == name).then_some(value)
        });
        line.unwrap_or_default()
    }
}

impl Guarded {
    /// Returns the server, and starts it where none runs. The last test that holds it ends it.
    pub(crate) fn get() -> Arc<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = running.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start(&[]));
        *running = Arc::downgrade(&server);
        server
    }

    /// Starts a server with this text behind the key `keys` of its configuration's table `[auth]`, and with these keys.
    pub(crate) fn limited(text: &str, keys: Vec<KeySettings>) -> (Self, Vec<String>) {
        Self::limited_with(text, keys, &[])
    }

    /// As [`Guarded::limited`], with further models: their names, guests and tasks. They have fuel for a fraction of a
    /// second, and a minute.
    pub(crate) fn limited_with(
        text: &str,
        keys: Vec<KeySettings>,
        models: &[(&str, &str, &str)],
    ) -> (Self, Vec<String>) {
        let mut made = Vec::new();
        let text = &format!("{text}\n[limits]\ntimeout = \"1m\"\n");
        let operator = Operator::new();
        let server = Self::configured(operator, &[], Served::start, text, models, |directory| {
            let keys = keys.into_iter();
            let keys = keys.map(|settings| bearer(&add(directory, settings)));
            made = keys.collect();
        });
        (server, made)
    }

    /// Starts a server with further arguments, one of which names a model that cannot be loaded.
    pub(crate) fn start_unready(arguments: &[&str]) -> Self {
        Self::begin(Operator::new(), arguments, "", Served::listening)
    }

    fn start(arguments: &[&str]) -> Self {
        Self::begin(Operator::new(), arguments, "", Served::start)
    }

    /// Starts a server of this operator's, with further tables of its configuration file.
    pub(crate) fn start_with_tables(operator: Operator, tables: &str) -> Self {
        Self::begin(operator, &[], tables, Served::start)
    }

    fn begin(
        operator: Operator,
        arguments: &[&str],
        tables: &str,
        start: fn(&mut Command, &[&str]) -> Served,
    ) -> Self {
        // Tests present wrong keys by the thousand.
        let text = format!("[rate-limits]\nfailures = \"1000000/1m\"\n{tables}\n");
        Self::configured(operator, arguments, start, &text, &[], |_| {})
    }

    fn configured(
        operator: Operator,
        arguments: &[&str],
        start: fn(&mut Command, &[&str]) -> Served,
        more: &str,
        models: &[(&str, &str, &str)],
        make_keys: impl FnOnce(&Path),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bundle = operator.good().write();
        let tiny_vlm = operator.trust_built_in();
        let keys = folder.path().join("keys");
        make(&keys, Role::Infer, |_| {});
        let file = folder.path().join("ampoule.toml");
        make_keys(&keys);
        let others: Vec<_> = models
            .iter()
            .map(|(name, guest, task)| {
                let bundle = operator.publisher().bundle(test_guest(guest)).named(name);
                let bundle = bundle
                    .tasks(&[task])
                    .set("/limits/deadline_ms", json!(60_000));
                (
                    *name,
                    bundle.set("/limits/fuel", json!(100_000_000)).write(),
                )
            })
            .collect();
        let mut text = format!(
            "trust = {:?}\n[auth]\nkeys = {keys:?}\n{more}\n{}[[model]]\npath = {:?}\nname = \"every-task\"\n\
             aliases = [\"acme/every-task\"]\n[[model]]\npath = {tiny_vlm:?}\nname = \"tiny-vlm\"\n",
            operator.trust(),
            issuers(folder.path()),
            bundle.path(),
        );
        for (name, bundle) in &others {
            let path = bundle.path();
            writeln!(text, "[[model]]\npath = {path:?}\nname = \"{name}\"").unwrap();
        }
        std::fs::write(&file, text).unwrap();
        let mut command = ampoule();
        command.arg("--config").arg(file);
        command.env(SECRET, Issuer::of(TokenAlgorithm::Hs256).secret());
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        command.stderr(log);
        let arguments = [&["--access-log", "--log-format", "json"], arguments].concat();
        Self {
            served: start(&mut command, &arguments),
            folder,
            _operator: operator,
            _bundles: [bundle]
                .into_iter()
                .chain(others.into_iter().map(|(_, bundle)| bundle))
                .collect(),
        }
    }

    fn directory(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// Returns the directory of the keys.
    pub(crate) fn keys(&self) -> KeyDirectory {
        KeyDirectory::new(self.directory(), PermissionPolicy::default())
    }

    /// Makes a key of the tenant `acme`, and waits until the server knows it.
    pub(crate) fn key(&self, role: Role, change: impl FnOnce(&mut KeySettings)) -> String {
        let key = bearer(&make(&self.directory(), role, change));
        self.wait_for(&key, 401, false);
        key
    }

    /// Waits until the status for a credential is this one, or no longer this one.
    pub(crate) fn wait_for(&self, authorization: &str, status: u16, is_this: bool) {
        let begun = std::time::Instant::now();
        while (self.ask("GET", "/v1/models", &[authorization], "").status == status) != is_this {
            assert!(begun.elapsed() < Duration::from_secs(30), "{status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a request with these `Authorization` headers on a connection of its own.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        authorization: &[&str],
        body: &str,
    ) -> Answer {
        let lines: String = authorization
            .iter()
            .map(|value| format!("authorization: {value}\r\n"))
            .collect();
        self.ask_with(method, path, &lines, body)
    }

    /// Sends a request with these lines of its head on a connection of its own.
    pub(crate) fn ask_with(&self, method: &str, path: &str, lines: &str, body: &str) -> Answer {
        let stream = TcpStream::connect(self.served.address()).unwrap();
        exchange(stream, method, path, lines, body)
    }

    /// Sends a request as [`Guarded::ask_with`] does, from this loopback address.
    pub(crate) fn ask_from(
        &self,
        from: &str,
        method: &str,
        path: &str,
        lines: &str,
        body: &str,
    ) -> Answer {
        let stream = connect(from, self.served.address());
        exchange(stream, method, path, lines, body)
    }

    /// Returns all that was logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

/// Writes the files of the issuers' keys, and returns the tables of the configuration that name them.
pub(crate) fn issuers(folder: &Path) -> String {
    let mut tables = String::new();
    let rest = format!("audience = {AUDIENCE:?}\ntenant = \"acme\"");
    let file = |issuer: &Issuer| folder.join(format!("{}.json", issuer.algorithm));
    for issuer in ISSUERS.iter() {
        let keys = if issuer.algorithm == TokenAlgorithm::Hs256 {
            format!("secret-env = {SECRET:?}")
        } else {
            std::fs::write(file(issuer), issuer.key_set()).unwrap();
            format!("jwks = {:?}", file(issuer))
        };
        let (name, algorithm) = (issuer.name(), issuer.algorithm);
        writeln!(
            tables,
            "[[auth.jwt]]\nissuer = {name:?}\nalgorithm = \"{algorithm}\"\n{keys}\nrole = \"infer\"\n{rest}"
        )
        .unwrap();
    }
    let jwks = file(Issuer::of(TokenAlgorithm::EdDsa));
    writeln!(
        tables,
        "[[auth.jwt]]\nissuer = {BY_CLAIMS:?}\nalgorithm = \"EdDSA\"\njwks = {jwks:?}\nrole-claim = \"role\"\n\
         roles = [\"infer\", \"list\", \"metrics\", \"admin\"]\n\
         models-claim = \"models\"\n{rest}"
    )
    .unwrap();
    tables
}

/// Makes a token whose claims name a role and models.
pub(crate) fn token(role: Role, models: &[&str], further: &Value) -> String {
    let mut claims = serde_json::json!({"iss": BY_CLAIMS, "role": role.name(), "models": models});
    for (name, value) in further.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let token = Issuer::of(TokenAlgorithm::EdDsa).with(&claims);
    format!("Bearer {token}")
}

/// Returns the header's value for a key.
pub(crate) fn bearer(key: &NewKey) -> String {
    format!("Bearer {}", *key.text.reveal())
}

pub(crate) fn make(directory: &Path, role: Role, change: impl FnOnce(&mut KeySettings)) -> NewKey {
    let mut settings = KeySettings::new(role, "acme".parse().unwrap());
    change(&mut settings);
    add(directory, settings)
}

fn exchange(mut stream: TcpStream, method: &str, path: &str, lines: &str, body: &str) -> Answer {
    // An answer by HTTP/1.0 comes without chunks.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{lines}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let (head, body) = read_answer(stream);
    let head = head.to_lowercase();
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("{head}")),
        head,
        body,
    }
}

/// Connects from a loopback address.
fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_io().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        let from: IpAddr = from.parse().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let stream = socket.connect(to).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    })
}

fn add(directory: &Path, settings: KeySettings) -> NewKey {
    let directory = KeyDirectory::new(directory, PermissionPolicy::default());
    // Keys whose time is over are made as long before.
    let end = settings.not_after;
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let made = end.filter(|end| *end < now).map_or(now, |end| {
        Timestamp::from_second(end.as_second() - 60).unwrap()
    });
    directory.add(settings, made).unwrap()
}

/// Makes a scope of these models and tasks; `None` for all.
pub(crate) fn scope(models: Option<&[&str]>, tasks: Option<&[&str]>) -> Scope {
    Scope {
        models: models.map(|models| models.iter().map(|name| name.parse().unwrap()).collect()),
        tasks: tasks.map(|tasks| tasks.iter().map(|name| name.parse().unwrap()).collect()),
    }
}

/// Makes rates of requests alone.
pub(crate) fn requests(rate: &str) -> Rates {
    Rates {
        requests: Some(rate.parse().unwrap()),
        ..Rates::default()
    }
}
