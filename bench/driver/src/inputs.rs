//! Inputs of the workloads: texts, weights, graphs, bundles, and the vectors that engines should compute.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use bench_engine::{Numbers, Rotation, Signed};
use serde_json::{Value, json};

use crate::bundles;
use crate::fetch::{self, Packages};
use crate::process;
use crate::repository::Repository;
use crate::texts::{Texts, Words};
use crate::workload::Workload;

/// Inputs of all workloads of a run. Those that no workload needs are absent.
pub(crate) struct Inputs {
    pub(crate) encoder: Option<Encoder>,
    /// A guest that multiplies.
    pub(crate) multiplier: Option<Signed>,
    /// A guest that has more matrices of four bits than the caches hold.
    pub(crate) rotation: Option<Rotation>,
    /// The repository's root, in which the built-in model lies.
    pub(crate) root: PathBuf,
}

/// all-MiniLM-L6-v2 in every form, and texts for it.
pub(crate) struct Encoder {
    words: Words,
    /// The right vectors, by the length and the number of texts.
    references: BTreeMap<String, Vec<f64>>,
    pub(crate) weights: PathBuf,
    pub(crate) f32: Form,
    pub(crate) int8: Option<Form>,
}

/// The encoder in one number format.
pub(crate) struct Form {
    /// Path of the ONNX graph, or the reason that there is none.
    pub(crate) onnx: Result<PathBuf, String>,
    pub(crate) bundle: Signed,
}

/// Makes the inputs of these workloads.
pub(crate) fn prepare(repository: &Repository, workloads: &[Workload]) -> Result<Inputs> {
    let minilm: Vec<_> = workloads
        .iter()
        .filter(|workload| matches!(workload, Workload::Minilm { .. }))
        .collect();
    let products = workloads
        .iter()
        .any(|workload| matches!(workload, Workload::Gemm { .. }));
    let rotates = workloads.contains(&Workload::GemvQ4);
    repository.xtask(["setup", "--guests"])?;
    Ok(Inputs {
        encoder: if minilm.is_empty() {
            None
        } else {
            Some(Encoder::prepare(repository, &minilm)?)
        },
        multiplier: if products {
            Some(bundles::multiplier(repository)?)
        } else {
            None
        },
        rotation: if rotates {
            Some(bundles::rotation(repository)?)
        } else {
            None
        },
        root: repository.root().to_owned(),
    })
}

impl Encoder {
    fn prepare(repository: &Repository, workloads: &[&Workload]) -> Result<Self> {
        let bundle = bundles::encoder(repository)?;
        let weights = repository.minilm_weights();
        let words = Words::load(&weights.join("tokenizer.json"))?;
        let asked = workloads.iter().filter_map(|workload| shape(workload));
        let asked: serde_json::Map<String, Value> = asked
            .map(|(tokens, texts)| (key(tokens, texts), json!(words.texts(tokens, texts).ids)))
            .collect();
        let models = repository.output().join("models");
        let python = fetch::python(repository, Packages::Graph)
            .context("the graph that all peers run is made in Python")?;
        make_graph(repository, &python, &weights, &models, &asked.into())?;
        let references = std::fs::read(models.join("reference.json"))?;
        let in_integers = workloads.iter().any(|workload| {
            matches!(
                workload,
                Workload::Minilm {
                    numbers: Numbers::Int8,
                    ..
                }
            )
        });
        let f32 = models.join("minilm-f32.onnx");
        let int8 = if in_integers {
            Some(Form {
                onnx: quantize(repository, &f32, &models.join("minilm-int8.onnx"))
                    .map_err(|error| format!("there is no graph in integers: {error:#}")),
                bundle: bundles::encoder_in_int8(repository, &bundle)?,
            })
        } else {
            None
        };
        Ok(Self {
            words,
            references: serde_json::from_slice(&references)?,
            weights,
            f32: Form {
                onnx: Ok(f32),
                bundle,
            },
            int8,
        })
    }

    /// Returns the texts of a workload.
    pub(crate) fn texts(&self, tokens: usize, texts: usize) -> Texts {
        self.words.texts(tokens, texts)
    }

    /// Returns the right vectors of those texts, one after another.
    pub(crate) fn reference(&self, tokens: usize, texts: usize) -> Option<&[f64]> {
        self.references.get(&key(tokens, texts)).map(Vec::as_slice)
    }
}

/// Tokens and texts of a workload of sentence vectors.
fn shape(workload: &Workload) -> Option<(usize, usize)> {
    match *workload {
        Workload::Minilm { tokens, texts, .. } => Some((tokens, texts)),
        _ => None,
    }
}

fn key(tokens: usize, texts: usize) -> String {
    format!("{tokens}-{texts}")
}

/// Makes the graph, and the vectors of the token ids in `asked`.
fn make_graph(
    repository: &Repository,
    python: &Path,
    weights: &Path,
    output: &Path,
    asked: &Value,
) -> Result<()> {
    let mut process = Command::new(python)
        .arg(repository.peers().join("python/model.py"))
        .args([weights, output])
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = process.stdin.take() {
        write!(input, "{asked}")?;
    }
    let status = process.wait()?;
    ensure!(
        status.success(),
        "bench/peers/python/model.py failed ({status})"
    );
    Ok(())
}

fn quantize(repository: &Repository, f32: &Path, int8: &Path) -> Result<PathBuf> {
    let python = fetch::python(repository, Packages::Onnxruntime)?;
    process::output(
        Command::new(python)
            .arg(repository.peers().join("python/quantize.py"))
            .args([f32, int8]),
    )?;
    Ok(int8.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::texts;

    /// Inputs for all workloads, with files that nobody opens.
    pub(crate) fn inputs() -> Inputs {
        let signed = || Signed {
            path: "bundle".into(),
            trust: "trust".into(),
        };
        let form = |onnx: &str| Form {
            onnx: Ok(onnx.into()),
            bundle: signed(),
        };
        Inputs {
            encoder: Some(Encoder {
                words: texts::tests::words(),
                references: BTreeMap::new(),
                weights: "weights".into(),
                f32: form("minilm-f32.onnx"),
                int8: Some(form("minilm-int8.onnx")),
            }),
            multiplier: Some(signed()),
            rotation: Some(Rotation {
                side: 4096,
                bundle: signed(),
                memory: 1 << 30,
            }),
            root: "root".into(),
        }
    }
}
