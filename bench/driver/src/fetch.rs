//! Fetches the peers' Python and Node packages, of the versions that `bench/peers` names, into
//! `target/bench`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process;
use crate::repository::Repository;

/// A set of Python packages: a file of requirements in `bench/peers/python`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Packages {
    /// Makes the ONNX graph, and the vectors that engines' are compared with.
    Graph,
    Onnxruntime,
    Torch,
    /// A server for the encoder, as a user would write it.
    FastApi,
    /// A packaged server of models.
    LitServe,
    /// A packaged server of encoders, with older versions of what the others have.
    Infinity,
}

impl Packages {
    fn file(self) -> &'static str {
        match self {
            Self::Graph => "requirements.txt",
            Self::Onnxruntime => "onnxruntime.txt",
            Self::Torch => "torch.txt",
            Self::FastApi => "fastapi.txt",
            Self::LitServe => "litserve.txt",
            Self::Infinity => "infinity.txt",
        }
    }

    /// Names the environment: one for all sets that agree on their versions.
    fn environment(self) -> &'static str {
        match self {
            Self::Infinity => "infinity",
            _ => "python",
        }
    }

    /// Names the file of the versions of all that the environment has.
    fn versions(self) -> &'static str {
        match self {
            Self::Infinity => self.file(),
            _ => "constraints.txt",
        }
    }
}

/// Returns a Python that has the packages, in an environment of its own.
pub(crate) fn python(repository: &Repository, packages: Packages) -> Result<PathBuf> {
    let environment = repository.output().join(packages.environment());
    let python = environment.join("bin/python");
    if !python.is_file() {
        process::output(
            Command::new("python3")
                .args(["-m", "venv"])
                .arg(&environment),
        )?;
    }
    let scripts = repository.peers().join("python");
    let requirements = scripts.join(packages.file());
    let constraints = scripts.join(packages.versions());
    let stamp = environment.join(packages.file());
    once(&[&requirements, &constraints], &stamp, || {
        eprintln!("Fetching Python packages ({})", packages.file());
        process::output(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "--disable-pip-version-check",
                    "install",
                    "--quiet",
                    "--no-compile",
                ])
                .args(["--only-binary", ":all:", "--requirement"])
                .arg(&requirements)
                .arg("--constraint")
                .arg(&constraints),
        )
    })?;
    Ok(python)
}

/// Returns the folder in which npm has installed the packages of `bench/peers/node`.
pub(crate) fn node_modules(repository: &Repository) -> Result<PathBuf> {
    let installed = repository.output().join("node");
    std::fs::create_dir_all(&installed)?;
    let scripts = repository.peers().join("node");
    let (package, lock) = (
        scripts.join("package.json"),
        scripts.join("package-lock.json"),
    );
    once(&[&package, &lock], &installed.join("stamp"), || {
        eprintln!("Fetching Node packages");
        std::fs::copy(&package, installed.join("package.json"))?;
        std::fs::copy(&lock, installed.join("package-lock.json"))?;
        process::output(Command::new("npm").current_dir(&installed).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
        ]))
    })?;
    Ok(installed)
}

/// Does `work` unless it was done for the same contents of `files`, which `stamp` remembers.
fn once(files: &[&Path], stamp: &Path, work: impl FnOnce() -> Result<String>) -> Result<()> {
    let read = |file: &&Path| std::fs::read(file).with_context(|| file.display().to_string());
    let contents: Vec<u8> = files.iter().map(read).collect::<Result<Vec<_>>>()?.concat();
    if std::fs::read(stamp).is_ok_and(|found| found == contents) {
        return Ok(());
    }
    work()?;
    Ok(std::fs::write(stamp, contents)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_is_fetched_again_only_when_what_is_wanted_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (wanted, stamp) = (folder.path().join("wanted"), folder.path().join("stamp"));
        let mut times = 0;
        let mut fetch = |versions: &str, result: Result<String>| {
            std::fs::write(&wanted, versions).unwrap();
            let work = || {
                times += 1;
                result
            };
            let done = once(&[&wanted], &stamp, work).is_ok();
            (done, times)
        };
        let fine = || Ok(String::new());
        assert_eq!(fetch("1", Err(anyhow::anyhow!("offline"))), (false, 1));
        assert_eq!(fetch("1", fine()), (true, 2), "a failure is no fetch");
        assert_eq!(fetch("1", fine()), (true, 2));
        assert_eq!(fetch("2", fine()), (true, 3));
    }
}
