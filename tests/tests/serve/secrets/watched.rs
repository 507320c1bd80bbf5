//! A server whose every word is kept: its log at the highest verbosity, its metrics, its traces and its audit log.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ampoule_access::{KeyDirectory, KeySettings, NewKey, Role};
use ampoule_audit::{Identity, NumberedRow};
use ampoule_signing::{PermissionPolicy, Timestamp};
use ampoule_tests::{Collector, Operator, Served, WrittenBundle, ampoule_with_traces, test_guest};
use tempfile::TempDir;

use crate::audited;

use super::places::{KEY, LENGTH, MARK, PANICS, REFUSES};

/// Longest time for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server of `every-task`, `tiny-vlm`, and of guests that repeat their input when they panic and when they refuse it.
pub(super) struct Watched {
    served: Served,
    collector: Collector,
    folder: TempDir,
    auditor: Identity,
    key: String,
    /// Beginning of all marks, which is in nothing else.
    beginning: String,
    _bundles: Vec<WrittenBundle>,
    _operator: Operator,
}

impl Watched {
    pub(super) fn start(options: &[&str]) -> Self {
        let (operator, collector) = (Operator::new(), Collector::start());
        let folder = tempfile::tempdir().unwrap();
        let bundles = [
            ("every-task", operator.good()),
            (PANICS, operator.publisher().bundle(test_guest("panics"))),
            (
                REFUSES,
                operator.publisher().bundle(test_guest("guest_error")),
            ),
        ];
        let bundles = bundles.map(|(name, bundle)| (name, bundle.named(name).write()));
        let keys = folder.path().join("keys");
        let auditor = Identity::generate();
        let mut text = format!(
            "trust = {:?}\nstate = {:?}\n[audit]\ndirectory = {:?}\nrecipients = [{:?}]\n[auth]\nkeys = {keys:?}\n",
            operator.trust(),
            folder.path().join("state"),
            folder.path().join("audit"),
            auditor.recipient(),
        );
        for (name, bundle) in &bundles {
            text += &format!("[[model]]\npath = {:?}\nname = \"{name}\"\n", bundle.path());
        }
        let tiny_vlm = operator.trust_built_in();
        text += &format!("[[model]]\npath = {tiny_vlm:?}\nname = \"tiny-vlm\"\n");
        let file = folder.path().join("ampoule.toml");
        std::fs::write(&file, text).unwrap();
        let directory = KeyDirectory::new(keys, PermissionPolicy::default());
        let made = directory.add(settings(), Timestamp::now()).unwrap();
        let mut command = ampoule_with_traces();
        command.env("OTEL_BSP_SCHEDULE_DELAY", "20");
        command.arg("-vvv").arg("--config").arg(file);
        command.stderr(File::create(folder.path().join("log")).unwrap());
        let url = collector.url();
        let fixed = ["--log-format", "json", "--traces", &url];
        let served = Served::start(&mut command, &[&fixed[..], options].concat());
        Self {
            served,
            collector,
            key: secret_of(&made),
            beginning: beginning(folder.path()),
            auditor,
            folder,
            _bundles: bundles.map(|(_, bundle)| bundle).into(),
            _operator: operator,
        }
    }

    /// Returns the beginning of all marks.
    pub(super) fn beginning(&self) -> &str {
        &self.beginning
    }

    /// Returns the mark of a place: letters and digits, as a guest's code may have them.
    pub(super) fn secret(&self, number: usize) -> String {
        format!("{}n{number}n", self.beginning)
    }

    /// Returns the part of the key that nobody but its holder knows.
    pub(super) fn key_secret(&self) -> String {
        self.key.rsplit('_').next().unwrap().to_owned()
    }

    /// Sends a request with this secret in its marked place, and returns all that comes back.
    pub(super) fn ask(&self, request: &[u8], secret: &str) -> Vec<u8> {
        let request = replaced(request, KEY.as_bytes(), self.key.as_bytes());
        let request = replaced(&request, MARK.as_bytes(), secret.as_bytes());
        let head = request.windows(4).position(|end| end == b"\r\n\r\n");
        let length = head.map_or(0, |head| request.len() - head - 4).to_string();
        let request = replaced(&request, LENGTH.as_bytes(), length.as_bytes());
        let mut stream = TcpStream::connect(self.served.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        // A connection that is refused while it sends may end with a reset.
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.starts_with(b"HTTP/1.1 "),
            "{}: {}",
            String::from_utf8_lossy(&request),
            String::from_utf8_lossy(&answer)
        );
        answer
    }

    pub(super) fn metrics(&self) -> Vec<u8> {
        let key = format!("Bearer {}", self.key);
        let answer = self.served.get_with("/metrics", &[("authorization", &key)]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body
    }

    /// Waits until the log has the line of a last request, and returns all of it.
    pub(super) fn whole_log(&self) -> Vec<u8> {
        let last = format!("last-{}", Instant::now().elapsed().as_nanos());
        let _ = self
            .served
            .get_with("/v1/models", &[("x-request-id", &last)]);
        let (begun, last) = (Instant::now(), format!("\"id\":\"{last}\""));
        loop {
            let log = std::fs::read(self.folder.path().join("log")).unwrap();
            if String::from_utf8_lossy(&log).contains(&last) {
                return log;
            }
            assert!(begun.elapsed() < PATIENCE, "the log has no end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends the server, and returns all rows of its audit log.
    pub(super) fn into_audited(self) -> Vec<NumberedRow> {
        self.served.terminate();
        assert_eq!(self.served.wait(), Some(0));
        let (log, state) = (
            self.folder.path().join("audit"),
            self.folder.path().join("state/audit"),
        );
        audited::rows(&log, &state, &self.auditor)
    }

    /// Waits for the trace of a last request, and returns all that the collector was sent.
    pub(super) fn traces(&self) -> Vec<u8> {
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let parent = format!("00-{trace}-b7ad6b7169203331-01");
        let _ = self
            .served
            .get_with("/v1/models", &[("traceparent", &parent)]);
        let spans = self.collector.trace(trace, |spans| !spans.is_empty());
        assert_eq!(spans.len(), 1);
        self.collector.bytes()
    }
}

fn settings() -> KeySettings {
    KeySettings::new(Role::Admin, "acme".parse().unwrap())
}

fn secret_of(made: &NewKey) -> String {
    made.text.reveal().to_string()
}

/// Makes the beginning of all marks of a server from the name of its folder, which is random.
fn beginning(folder: &std::path::Path) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    std::process::id().hash(&mut hasher);
    format!("secret{:016x}", hasher.finish())
}

fn replaced(request: &[u8], mark: &[u8], with: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(request.len());
    let mut rest = request;
    while let Some(at) = rest.windows(mark.len()).position(|part| part == mark) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(with);
        rest = &rest[at + mark.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}
