//! A server that writes an audit log, and the log.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ampoule_access::{KeyDirectory, KeySettings, NewKey, Role};
use ampoule_audit::{
    AuditKey, Error, Identity, LogDirectory, Marks, NumberedRow, Report, Rows, anchor_of_head,
    verify,
};
use ampoule_signing::{PermissionPolicy, Timestamp};
use ampoule_tests::{Operator, Served, WrittenBundle, ampoule, test_guest};
use tempfile::TempDir;

/// Longest time for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place with all that a server with an audit log needs: the models `every-task` and `endless`, and keys.
pub(crate) struct Audited {
    folder: TempDir,
    pub(crate) identity: Identity,
    operator: Operator,
    bundles: [WrittenBundle; 2],
    /// Directory of the log.
    pub(crate) log: PathBuf,
}

impl Audited {
    pub(crate) fn new() -> Self {
        let operator = Operator::new();
        let endless = operator
            .publisher()
            .bundle(test_guest("endless_generation"));
        let endless = endless.tasks(&["text-generation"]).named("endless");
        let folder = tempfile::tempdir().unwrap();
        Self {
            log: folder.path().join("log"),
            identity: Identity::generate(),
            bundles: [operator.good().write(), endless.write()],
            operator,
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Directory of the log's signing key and its last frame.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state/audit")
    }

    /// Writes a configuration file with these lines under `[audit]`, and names it.
    pub(crate) fn config(&self, audit: &str) -> PathBuf {
        let file = self.path("ampoule.toml");
        let [every_task, endless] = &self.bundles;
        let keys = if self.path("keys").exists() {
            // Tests present wrong keys by the hundred.
            format!(
                "[auth]\nkeys = {:?}\n[rate-limits]\nfailures = \"1000000/1m\"\n",
                self.path("keys")
            )
        } else {
            String::new()
        };
        let text = format!(
            "trust = {:?}\nstate = {:?}\n[audit]\ndirectory = {:?}\nrecipients = [{:?}]\n{audit}\n{keys}[[model]]\npath = \
             {:?}\nname = \"every-task\"\n[[model]]\npath = {:?}\nname = \"endless\"\n",
            self.operator.trust(),
            self.path("state"),
            self.log,
            self.identity.recipient(),
            every_task.path(),
            endless.path(),
        );
        fs::write(&file, text).unwrap();
        file
    }

    /// Makes the command of a server with these lines under `[audit]`. It logs to the file `stderr`.
    pub(crate) fn command(&self, audit: &str) -> Command {
        let mut command = ampoule();
        command.arg("--config").arg(self.config(audit));
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path("stderr"));
        command.stderr(log.unwrap());
        command
    }

    /// Starts a server with these lines under `[audit]`.
    pub(crate) fn start(&self, audit: &str) -> Served {
        Served::start(
            &mut self.command(audit),
            &["--access-log", "--log-format", "json"],
        )
    }

    /// Makes an API key of the tenant `acme`. The first one has to be made before the server starts.
    pub(crate) fn key(&self, role: Role, change: impl FnOnce(&mut KeySettings)) -> NewKey {
        let mut settings = KeySettings::new(role, "acme".parse().unwrap());
        change(&mut settings);
        self.keys().add(settings, Timestamp::now()).unwrap()
    }

    pub(crate) fn keys(&self) -> KeyDirectory {
        KeyDirectory::new(self.path("keys"), PermissionPolicy::default())
    }

    /// Returns all that servers have logged.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }

    /// Verifies the log against its key and the last frame that the server noted.
    pub(crate) fn verify(&self) -> Result<Report, Error> {
        verify(
            &LogDirectory::new(&self.log),
            &marks(&self.log, &self.state()),
        )
    }

    /// Reads all rows of the log, verified.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<NumberedRow> {
        rows(&self.log, &self.state(), &self.identity)
    }
}

/// Returns the log's key, and the last frame that the state names.
pub(crate) fn marks(log: &Path, state: &Path) -> Marks {
    let root = fs::read_to_string(log.join("audit.pub")).unwrap();
    let head = fs::read(state.join("head")).unwrap();
    Marks {
        root: Some(AuditKey::from_pem(&root).unwrap()),
        anchors: vec![anchor_of_head(&head).unwrap()],
        ..Marks::default()
    }
}

/// Reads all rows of a log, verified against its key and the last frame that the state names.
#[track_caller]
pub(crate) fn rows(log: &Path, state: &Path, identity: &Identity) -> Vec<NumberedRow> {
    let marks = marks(log, state);
    let directory = LogDirectory::new(log);
    let rows = Rows::new(&directory, &marks, identity).unwrap();
    let rows: Vec<_> = rows.map(|read| read.unwrap().row).collect();
    let numbers = rows.iter().map(|row| row.number);
    assert!(numbers.eq(0..rows.len() as u64), "{rows:#?}");
    rows
}

/// A request, as it is sent on a connection of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a str,
    pub(crate) authorization: &'a str,
}

impl Asked<'_> {
    fn write(&self, address: SocketAddr, id: &str) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let Self {
            method,
            path,
            body,
            authorization,
        } = self;
        let authorization = match authorization {
            &"" => String::new(),
            key => format!("authorization: {key}\r\n"),
        };
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\nx-request-id: {id}\r\n\
             content-length: {}\r\n{authorization}\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        Ok(stream)
    }

    /// Sends the request, and returns the status and the head and body.
    #[track_caller]
    pub(crate) fn send(&self, address: SocketAddr, id: &str) -> (u16, String) {
        self.try_send(address, id).unwrap_or_else(|| panic!("{id}"))
    }

    /// As [`Asked::send`]; `None` where the server ends before it has answered.
    pub(crate) fn try_send(&self, address: SocketAddr, id: &str) -> Option<(u16, String)> {
        let mut answer = Vec::new();
        let mut stream = self.write(address, id).ok()?;
        stream.read_to_end(&mut answer).ok()?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        Some((text.get(9..12)?.parse().ok()?, text))
    }

    /// Sends the request, and goes away once the answer has begun.
    pub(crate) fn leave(&self, address: SocketAddr, id: &str) {
        let mut begun = [0; 16];
        let mut stream = self.write(address, id).unwrap();
        stream.read_exact(&mut begun).unwrap();
        assert!(begun.ends_with(b"200 OK\r"), "{}", begun.escape_ascii());
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
