//! A running `ampoule serve`, and requests to it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::process::{ampoule, bytes_in};
use crate::raw_client::RawClient;

/// Longest time for a server to load its models: a cold load of two of them on a busy machine.
const LOAD_TIME: Duration = Duration::from_secs(120);

/// A server of the built `ampoule` command, which is killed when this is dropped.
pub struct Served {
    server: Child,
    address: SocketAddr,
    client: ureq::Agent,
}

/// An answer of a server.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: ureq::http::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads the body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Reads the body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns a header's value; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

impl Served {
    /// Starts a server of the built-in model.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    pub fn built_in() -> Self {
        Self::start(&mut ampoule(), &[])
    }

    /// Starts a server of these bundles, with this trust directory.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    pub fn models(trust: &Path, bundles: &[&Path]) -> Self {
        let mut command = ampoule();
        command.arg("--trust").arg(trust);
        let options = bundles
            .iter()
            .flat_map(|path| ["--model", path.to_str().unwrap()]);
        Self::start(&mut command, &options.collect::<Vec<_>>())
    }

    /// Starts `serve` of this command with these further arguments on a free port, and waits until it listens and its
    /// models are up.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    #[must_use]
    pub fn start(command: &mut Command, arguments: &[&str]) -> Self {
        let served = Self::listening(command, arguments);
        let begun = Instant::now();
        while served.get("/readyz").status != 200 {
            assert!(begun.elapsed() < LOAD_TIME, "the models did not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        served
    }

    /// As [`Served::start`], without waiting for the models.
    ///
    /// # Panics
    ///
    /// If it does not listen.
    #[must_use]
    pub fn listening(command: &mut Command, arguments: &[&str]) -> Self {
        command
            .args(["serve", "--json", "--listen", "127.0.0.1:0"])
            .args(arguments);
        let mut server = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let first: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let address = first["listening"]
            .as_str()
            .unwrap_or_else(|| panic!("{line}"));
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let config = config.timeout_global(Some(Duration::from_secs(60)));
        Self {
            server,
            address: address.parse().unwrap(),
            client: config.build().into(),
        }
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of a path, for clients.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the server's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// Opens a connection for bytes.
    ///
    /// # Panics
    ///
    /// If the server takes none.
    #[must_use]
    pub fn connect(&self) -> RawClient {
        RawClient::connect(self.address).unwrap()
    }

    /// Reads the resident memory of the server, in bytes.
    ///
    /// # Panics
    ///
    /// If the system does not tell.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        bytes_in(&format!("/proc/{}/status", self.id()), "VmRSS:")
    }

    /// Asks the server to end, as service managers do.
    ///
    /// # Panics
    ///
    /// If the system has no such process.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Stops the server's process until [`Served::resume`]. The system accepts connections for it meanwhile.
    ///
    /// # Panics
    ///
    /// If the system has no such process.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a paused process go on.
    ///
    /// # Panics
    ///
    /// If the system has no such process.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.server), signal).unwrap();
    }

    /// Kills the server, and waits for its end.
    ///
    /// # Panics
    ///
    /// If the system cannot.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Waits for the server's end, and returns its exit status.
    ///
    /// # Panics
    ///
    /// If the system cannot wait.
    #[must_use]
    pub fn wait(mut self) -> Option<i32> {
        self.server.wait().unwrap().code()
    }

    /// Gets a path.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    #[must_use]
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        reply(self.client.get(self.url(path)).call())
    }

    /// Gets a path with these headers.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    #[must_use]
    #[track_caller]
    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let get = self.client.get(self.url(path));
        let get = headers
            .iter()
            .fold(get, |get, (name, value)| get.header(*name, *value));
        reply(get.call())
    }

    /// Asks for the head of a path alone.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    #[must_use]
    #[track_caller]
    pub fn head(&self, path: &str) -> Reply {
        reply(self.client.head(self.url(path)).call())
    }

    /// Posts JSON.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    #[must_use]
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_bytes(
            path,
            &[("content-type", "application/json")],
            &serde_json::to_vec(body).unwrap(),
        )
    }

    /// Posts bytes with these headers.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    #[must_use]
    #[track_caller]
    pub fn post_bytes(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let post = self.client.post(self.url(path));
        let post = headers
            .iter()
            .fold(post, |post, (name, value)| post.header(*name, *value));
        reply(post.send(body))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[track_caller]
fn reply(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Reply {
    let (head, body) = answer.unwrap().into_parts();
    let mut bytes = Vec::new();
    body.into_reader().read_to_end(&mut bytes).unwrap();
    Reply {
        status: head.status.as_u16(),
        headers: head.headers,
        body: bytes,
    }
}
