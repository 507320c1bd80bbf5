//! An operator's desk: a trust directory, key files, and `ampoule trust`.

use std::path::{Path, PathBuf};
use std::process::Output;

use ampoule_signing::PublicKey;
use serde_json::Value;
use tempfile::TempDir;

use crate::bundle::WrittenBundle;
use crate::operator::json_of;
use crate::process::ampoule;

/// A directory with the trust directory `trust`, and the keys that an operator was given.
pub struct Desk {
    dir: TempDir,
}

impl Desk {
    /// Makes one where nobody is trusted yet.
    ///
    /// # Panics
    ///
    /// If the system refuses to write.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Returns the path of a file on it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the public half of a key.
    ///
    /// # Panics
    ///
    /// If the system refuses to write.
    pub fn key_file(&self, name: &str, key: &PublicKey) {
        std::fs::write(self.path(name), key.to_pem().unwrap()).unwrap();
    }

    /// Runs `ampoule trust` with JSON output. Files are named as by [`Desk::path`].
    ///
    /// # Panics
    ///
    /// If the command cannot be started.
    #[must_use]
    pub fn trust(&self, arguments: &[&str]) -> Output {
        ampoule()
            .current_dir(self.dir.path())
            .args(["trust", "--json", "--trust", "trust"])
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Runs `ampoule embed --json` on a text.
    ///
    /// # Panics
    ///
    /// If the command cannot be started.
    #[must_use]
    pub fn embed(&self, bundle: &Path) -> Output {
        ampoule()
            .current_dir(self.dir.path())
            .args(["embed", "--json", "x", "--trust", "trust", "--model"])
            .arg(bundle)
            .output()
            .unwrap()
    }

    /// Returns the verdict of `ampoule inspect` on a bundle: the code of its refusal, or `trusted`.
    ///
    /// # Panics
    ///
    /// If the command prints no verdict.
    #[must_use]
    pub fn verdict(&self, bundle: &WrittenBundle) -> String {
        let output = ampoule()
            .current_dir(self.dir.path())
            .args(["inspect", "--json", "--trust", "trust"])
            .arg(bundle.path())
            .output()
            .unwrap();
        let document = json_of(&output);
        let code = document["verdict"]["code"].as_str();
        code.unwrap_or("trusted").to_owned()
    }
}

/// Returns the JSON document of a command that succeeded.
///
/// # Panics
///
/// If the command failed.
#[track_caller]
pub fn succeeds(output: &Output) -> Value {
    let document = json_of(output);
    assert!(output.status.success(), "{document}");
    document
}
