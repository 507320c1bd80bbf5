//! What the workloads are of: texts, weights, graphs, bundles, and the vectors that engines should
//! compute.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::bundles::{self, Rotation, Signed};
use super::fetch::{self, Packages};
use super::workload::{Numbers, Workload};
use super::{folder, jobs};
use crate::workspace::Workspace;
use crate::{process, setup, weights};

/// What the workloads are of. Only what some workload needs is there.
pub(crate) struct Inputs {
    pub(crate) encoder: Option<Encoder>,
    /// A guest that multiplies.
    pub(crate) multiplier: Option<Signed>,
    /// One that has matrices of four bits.
    pub(crate) rotation: Option<Rotation>,
    /// The repository's root, in which the built-in model lies.
    pub(crate) root: PathBuf,
}

/// all-MiniLM-L6-v2 in every form, and texts for it.
pub(crate) struct Encoder {
    words: Words,
    /// What lengths and numbers of texts should give.
    references: BTreeMap<String, Vec<f64>>,
    pub(crate) weights: PathBuf,
    pub(crate) f32: Form,
    pub(crate) int8: Option<Form>,
}

/// The encoder in some kind of numbers.
pub(crate) struct Form {
    /// As a graph; why not, where there is none.
    pub(crate) onnx: Result<PathBuf, String>,
    pub(crate) bundle: Signed,
}

/// Words of one token each.
struct Words {
    words: Vec<(&'static str, i64)>,
    start: i64,
    end: i64,
}

/// Texts of equally many tokens.
pub(crate) struct Texts {
    pub(crate) texts: Vec<String>,
    /// With the tokens at both ends, `[texts, tokens]`.
    pub(crate) ids: Vec<Vec<i64>>,
}

/// Short, because a text may have no more than 1,000 characters, and a vector of 256 tokens is wanted.
const WORDS: [&str; 48] = [
    "we", "go", "to", "the", "sea", "if", "it", "is", "hot", "and", "my", "dog", "is", "at", "my",
    "leg", "as", "he", "is", "in", "no", "mood", "to", "run", "so", "an", "old", "man", "on", "a",
    "bus", "or", "in", "a", "car", "is", "up", "by", "ten", "or", "so", "do", "not", "ask", "me",
    "how", "of", "us",
];

/// Makes what the workloads need.
pub(crate) fn prepare(workspace: &Workspace, workloads: &[Workload]) -> Result<Inputs> {
    let minilm: Vec<_> = workloads
        .iter()
        .filter(|workload| matches!(workload, Workload::Minilm { .. }))
        .collect();
    let products = workloads
        .iter()
        .any(|workload| matches!(workload, Workload::Gemm { .. }));
    let rotates = workloads.contains(&Workload::GemvQ4);
    setup::setup(workspace)?;
    Ok(Inputs {
        encoder: if minilm.is_empty() {
            None
        } else {
            Some(Encoder::prepare(workspace, &minilm)?)
        },
        multiplier: if products {
            Some(bundles::multiplier(workspace)?)
        } else {
            None
        },
        rotation: if rotates {
            Some(bundles::rotation(workspace, jobs::bandwidth_bytes())?)
        } else {
            None
        },
        root: workspace.root().to_owned(),
    })
}

impl Encoder {
    fn prepare(workspace: &Workspace, workloads: &[&Workload]) -> Result<Self> {
        weights::fetch(workspace)?;
        let weights = weights::folder(workspace);
        let bundle = bundles::encoder(workspace)?;
        let words = Words::load(&weights.join("tokenizer.json"))?;
        let asked = workloads.iter().filter_map(|workload| shape(workload));
        let asked: serde_json::Map<String, Value> = asked
            .map(|(tokens, texts)| (key(tokens, texts), json!(words.texts(tokens, texts).ids)))
            .collect();
        let models = folder(workspace).join("models");
        let python = fetch::python(workspace, Packages::Graph)
            .context("the graph that all peers run is made in Python")?;
        make_graph(workspace, &python, &weights, &models, &asked.into())?;
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
                onnx: quantize(workspace, &f32, &models.join("minilm-int8.onnx"))
                    .map_err(|error| format!("there is no graph in integers: {error:#}")),
                bundle: bundles::encoder_in_int8(workspace)?,
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

    /// The texts of a workload.
    pub(crate) fn texts(&self, tokens: usize, texts: usize) -> Texts {
        self.words.texts(tokens, texts)
    }

    /// What their vectors should be, one after another.
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

/// Makes the graph and the vectors of what is asked.
fn make_graph(
    workspace: &Workspace,
    python: &Path,
    weights: &Path,
    output: &Path,
    asked: &Value,
) -> Result<()> {
    let mut process = Command::new(python)
        .arg(fetch::scripts(workspace, "python").join("model.py"))
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

fn quantize(workspace: &Workspace, f32: &Path, int8: &Path) -> Result<PathBuf> {
    let python = fetch::python(workspace, Packages::Onnxruntime)?;
    process::output(
        Command::new(python)
            .arg(fetch::scripts(workspace, "python").join("quantize.py"))
            .args([f32, int8]),
    )?;
    Ok(int8.to_owned())
}

impl Words {
    /// Looks the words up. Whole words that are in the vocabulary are one token each.
    fn load(tokenizer: &Path) -> Result<Self> {
        let tokenizer: Value = serde_json::from_slice(&std::fs::read(tokenizer)?)?;
        let id = |word: &'static str| {
            let id = tokenizer["model"]["vocab"][word].as_i64();
            let id = id.with_context(|| format!("the vocabulary has no `{word}`"))?;
            anyhow::Ok((word, id))
        };
        Ok(Self {
            words: WORDS.into_iter().map(id).collect::<Result<_>>()?,
            start: id("[CLS]")?.1,
            end: id("[SEP]")?.1,
        })
    }

    /// Texts of so many tokens each, those at both ends included; no two begin with the same word.
    fn texts(&self, tokens: usize, count: usize) -> Texts {
        let words = |text: usize| {
            let words = self.words.iter().cycle().skip(5 * text);
            words.take(tokens.saturating_sub(2))
        };
        let text = |text| {
            words(text)
                .map(|(word, _)| *word)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let ids = |text| {
            let ids = words(text).map(|(_, id)| *id);
            [self.start]
                .into_iter()
                .chain(ids)
                .chain([self.end])
                .collect()
        };
        Texts {
            texts: (0..count).map(text).collect(),
            ids: (0..count).map(ids).collect(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// As for all workloads, with files that nobody opens.
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
                words: words(),
                references: BTreeMap::new(),
                weights: "weights".into(),
                f32: form("minilm-f32.onnx"),
                int8: Some(form("minilm-int8.onnx")),
            }),
            multiplier: Some(signed()),
            rotation: Some(Rotation {
                bundle: signed(),
                memory: 1 << 30,
            }),
            root: "root".into(),
        }
    }

    fn words() -> Words {
        Words {
            words: WORDS.into_iter().zip(1000..).collect(),
            start: 101,
            end: 102,
        }
    }

    #[test]
    fn texts_have_as_many_tokens_as_their_name_says_and_no_more_letters_than_a_host_allows() {
        for (tokens, count) in [(16, 1), (128, 8), (256, 1)] {
            let texts = words().texts(tokens, count);
            assert_eq!((texts.texts.len(), texts.ids.len()), (count, count));
            for (text, ids) in texts.texts.iter().zip(&texts.ids) {
                assert_eq!(ids.len(), tokens);
                assert_eq!(text.split(' ').count() + 2, tokens);
                assert!(text.chars().count() <= 1_000, "{}", text.len());
            }
        }
    }

    #[test]
    fn texts_of_one_request_differ() {
        let mut texts = words().texts(128, 8).texts;
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 8);
    }

    #[test]
    fn a_word_that_is_not_in_the_vocabulary_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, r#"{"model": {"vocab": {"we": 7}}}"#).unwrap();
        let error = Words::load(&path).err().unwrap().to_string();
        assert!(error.contains("no `go`"), "{error}");
    }
}
