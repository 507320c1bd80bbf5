//! The engines' programs: built, fetched, or missing for a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::engine::Engine;
use super::fetch::{self, Packages};
use super::{folder, machine};
use crate::process;
use crate::workspace::{GUEST_TARGET, Workspace};

/// The engine that is Ampoule.
const AMPOULE: &str = "bench-ampoule";

/// What runs a peer that is a component.
const WASM_HOST: &str = "bench-wasm";

/// How each engine is started.
pub(crate) struct Programs(BTreeMap<Engine, Result<Program, String>>);

/// A program and its arguments.
struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
}

impl Programs {
    /// Makes the programs of the engines that are wanted.
    pub(crate) fn prepare(
        workspace: &Workspace,
        is_wanted: impl Fn(Engine) -> bool,
    ) -> Result<Self> {
        let wanted: Vec<Engine> = Engine::all()
            .iter()
            .copied()
            .filter(|engine| is_wanted(*engine))
            .collect();
        build(workspace, &wanted)?;
        let mut programs = BTreeMap::new();
        for engine in &wanted {
            let made = make(workspace, *engine);
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

    /// A command that starts an engine which is to compute with so many threads; why there is none, where
    /// its program could not be made.
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
        // What libraries take the number of their threads from where they are not told otherwise.
        for variable in ["RAYON_NUM_THREADS", "OMP_NUM_THREADS"] {
            command.env(variable, threads.to_string());
        }
        Ok(command)
    }
}

/// The program of `bench/peers` that an engine is, or that runs it.
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

/// Builds those programs as their users build them. In one go: one after another, each would have what they
/// share compiled anew, with the features that it alone wants. One that does not build is not there after.
fn build(workspace: &Workspace, engines: &[Engine]) -> Result<()> {
    // The workspace's target folder: what Ampoule depends on is there already.
    let target = workspace.host_target();
    let mut build = process::cargo();
    build
        .current_dir(workspace.peers())
        .args(["build", "--locked", "--quiet", "--release", "--keep-going"])
        .arg("--target-dir")
        .arg(target);
    let packages: BTreeSet<&str> = engines.iter().copied().filter_map(package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    for package in packages {
        build.args(["--package", package]);
        match std::fs::remove_file(program(workspace, package)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    if let Err(error) = process::run(&mut build) {
        eprintln!("{error:#}");
    }
    Ok(())
}

/// Where a program of `bench/peers` is built.
fn program(workspace: &Workspace, package: &str) -> PathBuf {
    workspace.host_target().join("release").join(package)
}

fn built(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let path = program(workspace, package);
    ensure!(path.exists(), "{package} does not build");
    Ok(path)
}

fn make(workspace: &Workspace, engine: Engine) -> Result<Program> {
    let native = |arguments: Vec<OsString>| {
        let package = package(engine).context("a program of its own")?;
        Ok(Program {
            path: built(workspace, package)?,
            arguments,
        })
    };
    let wasm = |package: &str| {
        let component = build_component(workspace, package)?;
        let models = folder(workspace).join("models");
        let cache = folder(workspace).join("wasm-code");
        native(vec![component.into(), models.into(), cache.into()])
    };
    let python = |packages: Packages, script: &str, arguments: Vec<OsString>| {
        let script = fetch::scripts(workspace, "python").join(script);
        Ok(Program {
            path: fetch::python(workspace, packages)?,
            arguments: [vec![script.into()], arguments].concat(),
        })
    };
    match engine {
        Engine::Ampoule | Engine::AmpouleHostKernels | Engine::AmpouleUnmetered => {
            let cache = folder(workspace).join("cache");
            native(vec![engine.name().into(), cache.into()])
        }
        Engine::OnnxruntimeNative => {
            python(Packages::Onnxruntime, "onnxruntime_engine.py", Vec::new())
        }
        Engine::Pytorch => {
            fetch::python(workspace, Packages::Graph)?;
            let training = workspace.root().join("guest/models/tiny-vlm/train");
            python(Packages::Torch, "torch_engine.py", vec![training.into()])
        }
        Engine::OnnxruntimeWeb => {
            ensure!(
                process::is_there("node"),
                "there is no Node.js on this machine"
            );
            let modules = fetch::node_modules(workspace)?;
            let script = fetch::scripts(workspace, "node").join("engine.mjs");
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
fn build_component(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let target = folder(workspace).join("wasm");
    process::run(
        process::cargo()
            .current_dir(workspace.peers())
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
