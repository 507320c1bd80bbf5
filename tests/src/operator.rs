//! An operator at the command line: a trust directory, commands, and their output.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ampoule_signing::TrustStore;
use serde_json::Value;
use tempfile::TempDir;

use crate::built_in::{built_in_folder, built_in_key};
use crate::bundle::{BundleBuilder, Publisher};
use crate::process::ampoule;

/// A publisher, and a trust directory that trusts it.
pub struct Operator {
    publisher: Publisher,
    trust: TempDir,
}

impl Operator {
    /// Makes an operator who trusts the publisher `acme`.
    ///
    /// # Panics
    ///
    /// If the system refuses to write.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        let publisher = Publisher::new("acme");
        let trust = tempfile::tempdir().unwrap();
        TrustStore::update(trust.path(), |store| {
            store.insert(publisher.public_key().clone(), ["acme"])
        })
        .unwrap();
        Self { publisher, trust }
    }

    /// Trusts the publisher of the built-in model too, for that model, and returns the folder of its bundle.
    ///
    /// # Panics
    ///
    /// If the system refuses to read or to write.
    #[must_use]
    pub fn trust_built_in(&self) -> PathBuf {
        TrustStore::update(self.trust(), |store| {
            store.insert_model(built_in_key(), "ampoule", "tiny-vlm")
        })
        .unwrap();
        built_in_folder()
    }

    /// Returns the publisher.
    #[must_use]
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// Returns the trust directory.
    #[must_use]
    pub fn trust(&self) -> &Path {
        self.trust.path()
    }

    /// Begins a bundle that this operator trusts and whose model offers every task.
    #[must_use]
    pub fn good(&self) -> BundleBuilder<'_> {
        self.publisher.every_task()
    }

    /// Makes the `ampoule` command with this operator's trust.
    #[must_use]
    pub fn ampoule(&self, arguments: &[&str]) -> Command {
        let mut command = ampoule();
        command
            .arg("--trust")
            .arg(self.trust.path())
            .args(arguments);
        command
    }

    /// Runs `ampoule embed --json` on a text.
    ///
    /// # Panics
    ///
    /// If the command cannot be started.
    #[must_use]
    pub fn embed(&self, bundle: &Path, text: &str) -> Output {
        let mut command = self.ampoule(&["embed", "--json", text, "--model"]);
        command.arg(bundle).output().unwrap()
    }
}

/// Reads the one JSON document that a command printed.
///
/// # Panics
///
/// If it printed anything else.
#[must_use]
pub fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {} {}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// Checks that a command failed with this code and exit status, in JSON, with a message that has no path of the
/// test's but in quotes, as the command names those that it was given.
///
/// # Panics
///
/// If it did not.
#[track_caller]
pub fn assert_fails(output: &Output, code: &str, status: i32) {
    let document = json_of(output);
    assert_eq!(document["error"]["code"], code, "{document}");
    assert_eq!(output.status.code(), Some(status), "{document}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(
        !message.is_empty() && !message.replace("\"/tmp/", "").contains("/tmp/"),
        "{message}"
    );
}
