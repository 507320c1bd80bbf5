//! The results of the last whole evaluation, and the files that it used. Tests hold the model card to them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ampoule::Sha256Digest;
use serde::{Deserialize, Serialize};

use crate::evaluation::QUESTIONS;
use crate::score_table::ScoreTable;
use crate::{built_in_folder, workspace_file};

const FILE: &str = "guest/models/tiny-vlm/eval/results.json";

/// The bundle's files that answers come from.
const FILES: [&str; 4] = [
    "component.wasm",
    "config.json",
    "model.safetensors",
    "tokenizer.json",
];

/// A whole evaluation of the built-in model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationResults {
    /// Files that were evaluated.
    pub evaluated: EvaluatedFiles,
    /// Scores.
    pub table: ScoreTable,
}

/// The files that answers depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluatedFiles {
    /// The SHA-256 digests of the built-in bundle's files.
    bundle: BTreeMap<String, String>,
    /// The SHA-256 digest of the questions.
    questions: String,
}

impl EvaluatedFiles {
    /// Takes the digests of the repository's files.
    ///
    /// # Panics
    ///
    /// If a file is missing.
    #[must_use]
    pub fn now() -> Self {
        let digest = |path: PathBuf| {
            let bytes = std::fs::read(&path);
            let bytes = bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Sha256Digest::of(&bytes).to_string()
        };
        Self {
            bundle: FILES
                .map(|name| (name.to_owned(), digest(built_in_folder().join(name))))
                .into(),
            questions: digest(workspace_file(QUESTIONS)),
        }
    }
}

impl EvaluationResults {
    /// Reads the results that `cargo xtask eval` wrote last.
    ///
    /// # Panics
    ///
    /// If there are none.
    #[must_use]
    pub fn read() -> Self {
        let text = std::fs::read(workspace_file(FILE))
            .unwrap_or_else(|error| panic!("{FILE}: {error}; run `cargo xtask eval`"));
        serde_json::from_slice(&text).unwrap()
    }

    /// Writes them down for the repository.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self) -> std::io::Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(workspace_file(FILE), json)
    }
}
