//! Servers to be measured: their start, their end, and the memory of all their processes.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use bench_engine::Signed;

use super::load::Connection;
use crate::fetch::{self, Packages};
use crate::inputs::Encoder;
use crate::machine;
use crate::repository::Repository;

/// Longest time for a server to come up: a cold load, or imports of PyTorch on a busy machine.
const START: Duration = Duration::from_secs(300);

/// Name by which clients ask for the model: that of the bundle's directory.
pub(super) const MODEL: &str = "bundle";

/// A server that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// FastAPI, uvicorn and ONNX Runtime: a process for each core, each with a session of one thread.
    FastApi,
    /// LitServe, with a worker for each core, each with a session of one thread of ONNX Runtime.
    LitServe,
    /// infinity-emb with PyTorch: one process, which batches requests that wait.
    Infinity,
    /// `ampoule serve`, all in the sandbox.
    Ampoule,
    /// `ampoule serve`, with layers computed on the host.
    AmpouleHostKernels,
}

impl Kind {
    pub(super) const ALL: [Self; 5] = [
        Self::FastApi,
        Self::LitServe,
        Self::Infinity,
        Self::Ampoule,
        Self::AmpouleHostKernels,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FastApi => "FastAPI + ONNX Runtime",
            Self::LitServe => "LitServe + ONNX Runtime",
            Self::Infinity => "infinity-emb + PyTorch",
            Self::Ampoule => "Ampoule, sandbox only",
            Self::AmpouleHostKernels => "Ampoule, host kernels",
        }
    }

    /// Tells whether the others are measured without it: neither Ampoule's own nor the yardstick.
    pub(super) fn may_be_missing(self) -> bool {
        matches!(self, Self::LitServe | Self::Infinity)
    }

    /// Returns the engine of `bench-ampoule` that computes as this server does, for Ampoule's own servers.
    pub(super) fn library(self) -> Option<&'static str> {
        match self {
            Self::FastApi | Self::LitServe | Self::Infinity => None,
            Self::Ampoule => Some("served"),
            Self::AmpouleHostKernels => Some("served-host-kernels"),
        }
    }

    /// Returns the path that answers 200 as soon as the model is up.
    fn readiness(self) -> &'static str {
        match self {
            Self::LitServe | Self::Infinity => "/health",
            Self::FastApi | Self::Ampoule | Self::AmpouleHostKernels => "/readyz",
        }
    }
}

/// A server that is installed and can be started.
pub(super) struct Prepared {
    command: Command,
    address: SocketAddr,
}

/// Fetches what a server needs.
pub(super) fn prepare(repository: &Repository, kind: Kind, encoder: &Encoder) -> Result<Prepared> {
    let address = free_address()?;
    let bundle = &encoder.f32.bundle;
    let command = match kind {
        Kind::FastApi => fastapi(repository, encoder, address)?,
        Kind::LitServe => litserve(repository, encoder, address)?,
        Kind::Infinity => infinity(repository, encoder, address)?,
        Kind::Ampoule => ampoule(repository, bundle, address, &[]),
        Kind::AmpouleHostKernels => {
            ampoule(repository, bundle, address, &["--allow", "host-kernels"])
        }
    };
    Ok(Prepared { command, address })
}

impl Prepared {
    /// Starts the server and waits until it is ready.
    pub(super) fn start(mut self, kind: Kind) -> Result<Server> {
        // A group of its own: servers in Python have workers.
        let command = self.command.stdout(Stdio::null()).process_group(0);
        let process = command
            .spawn()
            .with_context(|| format!("{} does not start", kind.name()))?;
        let mut server = Server {
            process,
            address: self.address,
        };
        server
            .wait_until_ready(kind.readiness())
            .with_context(|| format!("{} does not come up", kind.name()))?;
        Ok(server)
    }
}

/// A running server; it ends with its processes when this is dropped.
pub(super) struct Server {
    process: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    fn wait_until_ready(&mut self, path: &str) -> Result<()> {
        let begun = Instant::now();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        while begun.elapsed() < START {
            let ready = Connection::open(self.address)
                .and_then(|mut c| c.ask(request.as_bytes()).map(drop));
            if ready.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("it ended with {status}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("it was not ready within {} s", START.as_secs())
    }

    /// Returns the proportional memory of the server and of all its processes: a page that several have counts once.
    pub(super) fn memory(&self) -> Result<u64> {
        let mut bytes = 0;
        let mut processes = vec![self.process.id()];
        while let Some(id) = processes.pop() {
            let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
            let kib = rollup
                .lines()
                .find_map(|line| line.strip_prefix("Pss:")?.split_whitespace().next());
            let kib: u64 = kib
                .context("the system does not tell a process's memory")?
                .parse()?;
            bytes += kib * 1024;
            for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
                let children = std::fs::read_to_string(task?.path().join("children"))?;
                for child in children.split_whitespace() {
                    processes.push(child.parse()?);
                }
            }
        }
        Ok(bytes)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.process.wait();
    }
}

/// Returns an address that nobody listens on at the moment.
fn free_address() -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?)
}

fn ampoule(
    repository: &Repository,
    bundle: &Signed,
    address: SocketAddr,
    more: &[&str],
) -> Command {
    let mut command = repository.command("ampoule");
    command
        .arg("serve")
        .arg("--listen")
        .arg(address.to_string());
    command
        .arg("--model")
        .arg(&bundle.path)
        .arg("--trust")
        .arg(&bundle.trust)
        .args(more);
    command
}

fn fastapi(repository: &Repository, encoder: &Encoder, address: SocketAddr) -> Result<Command> {
    let mut command = python(repository, Packages::FastApi, encoder)?;
    command.args(["-m", "uvicorn", "fastapi_server:app"]);
    command.args(["--log-level", "warning", "--host", "127.0.0.1"]);
    command.args(["--port", &address.port().to_string()]);
    command.args(["--workers", &machine::cores().to_string()]);
    command
        .arg("--app-dir")
        .arg(repository.peers().join("python"));
    Ok(command)
}

fn litserve(repository: &Repository, encoder: &Encoder, address: SocketAddr) -> Result<Command> {
    let mut command = python(repository, Packages::LitServe, encoder)?;
    command.arg(repository.peers().join("python/litserve_server.py"));
    command.args([address.port().to_string(), machine::cores().to_string()]);
    Ok(command)
}

/// Sends no statistics of its use to its authors, and asks no hub for the model.
fn infinity(repository: &Repository, encoder: &Encoder, address: SocketAddr) -> Result<Command> {
    let python = fetch::python(repository, Packages::Infinity)?;
    let mut command = Command::new(python.with_file_name("infinity_emb"));
    command.args(["v2", "--model-id"]).arg(&encoder.weights);
    command.args(["--served-model-name", MODEL, "--url-prefix", "/v1"]);
    command.args(["--engine", "torch", "--device", "cpu"]);
    command.args(["--no-bettertransformer", "--no-model-warmup"]);
    command.args(["--log-level", "warning", "--host", "127.0.0.1"]);
    command.args(["--port", &address.port().to_string()]);
    command
        .env("HF_HUB_OFFLINE", "1")
        .env("DO_NOT_TRACK", "1")
        .env("INFINITY_ANONYMOUS_USAGE_STATS", "0");
    Ok(command)
}

/// Begins a command of Python with these packages, which is told where the model lies.
fn python(repository: &Repository, packages: Packages, encoder: &Encoder) -> Result<Command> {
    let graph = encoder.f32.onnx.as_ref();
    let graph = graph.map_err(|reason| anyhow!(reason.clone()))?;
    let mut command = Command::new(fetch::python(repository, packages)?);
    command
        .env("BENCH_ONNX", graph)
        .env("BENCH_TOKENIZER", encoder.weights.join("tokenizer.json"));
    Ok(command)
}
