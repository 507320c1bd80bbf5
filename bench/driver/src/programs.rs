//! Builds or fetches the engines' programs, and keeps the reason for each that is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::engine::Engine;
use crate::fetch::{self, Packages};
use crate::repository::{GUEST_TARGET, Repository};
use crate::{machine, process};

/// The program of Ampoule.
const AMPOULE: &str = "bench-ampoule";

/// The program that runs a peer which is a component.
const WASM_HOST: &str = "bench-wasm";

/// The command of each engine, or the reason that there is none.
pub(crate) struct Programs(BTreeMap<Engine, Result<Program, String>>);

/// A program and its arguments.
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Programs {
    /// Makes the programs of the engines that are wanted.
    pub(crate) fn prepare(
        repository: &Repository,
        is_wanted: impl Fn(Engine) -> bool,
    ) -> Result<Self> {
        let wanted: Vec<Engine> = Engine::all()
            .iter()
            .copied()
            .filter(|engine| is_wanted(*engine))
            .collect();
        build(repository, &wanted)?;
        let mut programs = BTreeMap::new();
        for engine in &wanted {
            let made = make(repository, *engine);
            // Without Ampoule there is nothing to compare peers with.
            let made = if engine.is_ampoule() { Ok(made?) } else { made };
            let made = made.map_err(|error| format!("{error:#}"));
            if let Err(reason) = &made {
                eprintln!("{} is missing: {reason}", engine.name());
            }
            programs.insert(*engine, made);
        }
        Ok(Self(programs))
    }

    /// Makes a command that starts an engine with so many threads, or gives the reason that its program could
    /// not be made.
    pub(crate) fn command(&self, engine: Engine, threads: usize) -> Result<Command, String> {
        let program = match self.0.get(&engine) {
            None => return Err("not asked for".to_owned()),
            Some(Err(reason)) => return Err(reason.clone()),
            Some(Ok(program)) => program,
        };
        let pinned = if threads == 1 {
            machine::pinned(&program.path)
        } else {
            None
        };
        let mut command = pinned.unwrap_or_else(|| Command::new(&program.path));
        command.args(&program.arguments);
        // Libraries take the number of their threads from these unless they are told otherwise.
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        Ok(command)
    }
}

/// Builds Ampoule's engine, and makes a command that starts it as `engine`.
pub(crate) fn library(repository: &Repository, engine: &str) -> Result<Command> {
    build(repository, &[Engine::Ampoule])?;
    let mut command = Command::new(built(repository, AMPOULE)?);
    command.arg(engine).arg(repository.output().join("cache"));
    Ok(command)
}

/// Names the program of `bench/peers` that is an engine, or that runs it.
fn package(engine: Engine) -> Option<&'static str> {
    Some(match engine {
        Engine::Ampoule | Engine::AmpouleHostKernels | Engine::AmpouleUnmetered => AMPOULE,
        Engine::RtenNative => "bench-rten",
        Engine::TractNative => "bench-tract",
        Engine::CandleNative => "bench-candle",
        Engine::GemmNative | Engine::MemoryNative => "bench-native",
        Engine::RtenWasm | Engine::TractWasm => WASM_HOST,
        Engine::OnnxruntimeNative | Engine::OnnxruntimeWeb | Engine::Pytorch => return None,
    })
}

/// Builds the engines' programs as their users build them, all at once: one by one, each would have shared
/// dependencies compiled anew with its own features. A program that does not build is absent afterwards.
fn build(repository: &Repository, engines: &[Engine]) -> Result<()> {
    // The repository's target folder: Ampoule's dependencies are there already.
    let target = repository.host_target();
    let mut build = process::cargo();
    build
        .current_dir(repository.peers())
        .args(["build", "--locked", "--quiet", "--release", "--keep-going"])
        .arg("--target-dir")
        .arg(target);
    let packages: BTreeSet<&str> = engines.iter().copied().filter_map(package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    for package in packages {
        build.args(["--package", package]);
        match std::fs::remove_file(repository.release_program(package)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    if let Err(error) = process::run(&mut build) {
        eprintln!("{error:#}");
    }
    Ok(())
}

fn built(repository: &Repository, package: &str) -> Result<PathBuf> {
    let path = repository.release_program(package);
    ensure!(path.exists(), "{package} does not build");
    Ok(path)
}

fn make(repository: &Repository, engine: Engine) -> Result<Program> {
    let native = |arguments: Vec<OsString>| {
        let package = package(engine).context("a program of its own")?;
        Ok(Program {
            path: built(repository, package)?,
            arguments,
        })
    };
    let wasm = |package: &str| {
        let component = build_component(repository, package)?;
        let models = repository.output().join("models");
        let cache = repository.output().join("wasm-code");
        native(vec![component.into(), models.into(), cache.into()])
    };
    let python = |packages: Packages, script: &str, arguments: Vec<OsString>| {
        let script = repository.peers().join("python").join(script);
        Ok(Program {
            path: fetch::python(repository, packages)?,
            arguments: [vec![script.into()], arguments].concat(),
        })
    };
    match engine {
        Engine::Ampoule | Engine::AmpouleHostKernels | Engine::AmpouleUnmetered => {
            let cache = repository.output().join("cache");
            native(vec![engine.name().into(), cache.into()])
        }
        Engine::OnnxruntimeNative => {
            python(Packages::Onnxruntime, "onnxruntime_engine.py", Vec::new())
        }
        Engine::Pytorch => {
            fetch::python(repository, Packages::Graph)?;
            let training = repository.root().join("guest/models/tiny-vlm/train");
            python(Packages::Torch, "torch_engine.py", vec![training.into()])
        }
        Engine::OnnxruntimeWeb => {
            ensure!(
                process::is_there("node"),
                "there is no Node.js on this machine"
            );
            let modules = fetch::node_modules(repository)?;
            let script = repository.peers().join("node").join("engine.mjs");
            Ok(Program {
                path: "node".into(),
                arguments: vec![script.into(), modules.into()],
            })
        }
        Engine::RtenWasm => wasm("bench-rten"),
        Engine::TractWasm => wasm("bench-tract"),
        Engine::RtenNative
        | Engine::TractNative
        | Engine::CandleNative
        | Engine::GemmNative
        | Engine::MemoryNative => native(Vec::new()),
    }
}

/// Builds a program of `bench/peers` as a component, with all vector instructions that it knows to use.
fn build_component(repository: &Repository, package: &str) -> Result<PathBuf> {
    let target = repository.output().join("wasm");
    process::run(
        process::cargo()
            .current_dir(repository.peers())
            .args([
                "build",
                "--locked",
                "--quiet",
                "--profile",
                "guest",
                "--package",
                package,
            ])
            .args(["--target", GUEST_TARGET, "--target-dir"])
            .arg(&target)
            .env("RUSTFLAGS", "-Ctarget-feature=+simd128,+relaxed-simd")
            .env_remove("CARGO_ENCODED_RUSTFLAGS"),
    )?;
    Ok(target
        .join(GUEST_TARGET)
        .join("guest")
        .join(format!("{package}.wasm")))
}
