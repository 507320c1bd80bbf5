//! Paths in the repository, and its own commands.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;

/// The target triple of guests.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// The repository that this program was built from.
pub(crate) struct Repository {
    root: PathBuf,
    host_target: PathBuf,
}

impl Repository {
    /// Finds it, and makes the folder for the benchmark's output.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
        let root = root
            .context("the driver is not in a repository")?
            .to_owned();
        let host_target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => std::path::absolute(folder)?,
            None => root.join("target"),
        };
        let repository = Self { root, host_target };
        let output = repository.output();
        std::fs::create_dir_all(&output)
            .with_context(|| format!("cannot make {}", output.display()))?;
        Ok(repository)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder for all that is fetched, built or found. It does not follow `CARGO_TARGET_DIR`:
    /// documents name these paths.
    pub(crate) fn output(&self) -> PathBuf {
        self.root.join("target/bench")
    }

    /// Returns the folder of the engines.
    pub(crate) fn peers(&self) -> PathBuf {
        self.root.join("bench/peers")
    }

    /// Returns cargo's target folder of programs for this machine.
    pub(crate) fn host_target(&self) -> &Path {
        &self.host_target
    }

    /// Returns the place of a program that was built with `--release`.
    pub(crate) fn release_program(&self, name: &str) -> PathBuf {
        self.host_target.join("release").join(name)
    }

    /// Returns the folder of MiniLM's files, after the bundle was made.
    pub(crate) fn minilm_weights(&self) -> PathBuf {
        self.root.join("target/weights/minilm")
    }

    /// Runs `cargo xtask` with these arguments.
    pub(crate) fn xtask<I: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<()> {
        process::run(self.cargo().arg("xtask").args(arguments))
    }

    /// Builds a guest of the tests, and returns the component.
    pub(crate) fn build_test_guest(&self, name: &str) -> Result<PathBuf> {
        self.xtask(["guests", name])?;
        let examples = format!("target/guests/{GUEST_TARGET}/guest/examples");
        Ok(self.root.join(examples).join(format!("{name}.wasm")))
    }

    /// Builds `ampoule` and `ampoule-sign` as users do. No package is named: cargo would select the features
    /// that it alone asks for, and compile Wasmtime anew.
    pub(crate) fn build_commands(&self) -> Result<()> {
        let mut build = self.cargo();
        build.args([
            "build",
            "--release",
            "--bin",
            "ampoule",
            "--bin",
            "ampoule-sign",
        ]);
        process::run(&mut build)
    }

    /// Returns `ampoule` or `ampoule-sign`, without the settings that this shell may have for it.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.release_program(name));
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("AMPOULE_") {
                command.env_remove(variable);
            }
        }
        command
    }

    fn cargo(&self) -> Command {
        let mut cargo = process::cargo();
        cargo.current_dir(&self.root);
        cargo
    }
}
