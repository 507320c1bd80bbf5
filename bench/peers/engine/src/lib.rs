//! The protocol between the benchmark's driver and an engine: a line of JSON each way, on the engine's
//! standard input and output.
//!
//! | asked | answered |
//! | --- | --- |
//! | `{"prepare": {"threads": 1, "kind": "embed", ...}}` | `{"about": "...", "output": [...]}` |
//! | `{"run": {"times": 5}}` | `{"ms": [...]}` |
//! | `{"together": {"times": 5, "at_once": 2}}` | `{"wall_ms": ...}` |
//! | `{"private_bytes": {"times": 5}}` | `{"bytes": ...}` |
//!
//! An engine that lacks a workload, by its nature or because it is not built yet, answers
//! `{"missing": "why"}`; one that fails, `{"error": "what"}`. An engine measures its own times, around the
//! work alone.
#![forbid(unsafe_code)]

mod encoder;
mod serve;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use encoder::{Encoder, serve_encoder};
pub use serve::serve;

/// A workload and the files of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// Number of threads that may compute.
    pub threads: usize,
    /// The work to do.
    #[serde(flatten)]
    pub work: Work,
}

/// The work of a workload.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Work {
    /// Sentence vectors of texts that have equally many tokens.
    Embed(Embed),
    /// A matrix product.
    Gemm(Gemm),
    /// An answer about a picture.
    Generate(Generate),
    /// A row times a matrix of numbers of four bits.
    GemvQ4(Rotation),
    /// Reading memory.
    ReadBandwidth {
        /// Bytes to read; several times the size of the caches.
        bytes: usize,
    },
}

/// Texts to make sentence vectors of, and the network in every form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Embed {
    /// Number format of the products.
    pub numbers: Numbers,
    /// Token ids, `[texts, tokens]`.
    pub ids: Vec<Vec<i64>>,
    /// The texts, for an engine that tokenizes.
    pub texts: Vec<String>,
    /// The network as an ONNX graph: `ids` `[texts, tokens]` to `vectors` `[texts, 384]`.
    pub onnx: PathBuf,
    /// `config.json` and `model.safetensors`.
    pub weights: PathBuf,
    /// The network as a signed bundle.
    pub bundle: Signed,
}

impl Embed {
    /// Returns `[texts, tokens]`.
    pub fn shape(&self) -> [usize; 2] {
        [self.ids.len(), self.ids.first().map_or(0, Vec::len)]
    }

    /// Returns the token ids, one text after another.
    pub fn flat_ids(&self) -> Vec<i64> {
        self.ids.concat()
    }
}

/// Number format of a network's products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// 32-bit floats.
    F32,
    /// 8-bit integers.
    Int8,
}

/// `y = x·wᵀ` with `x` `[m, k]` and `w` `[n, k]`, both of [`matrix_value`]s.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gemm {
    /// Rows of `x`.
    pub m: usize,
    /// Length of the sums.
    pub k: usize,
    /// Rows of `w`.
    pub n: usize,
    /// A guest that multiplies.
    pub bundle: Signed,
}

/// Products of one row with matrices `[side, side]`, one after another, so that each comes from memory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rotation {
    /// Inputs and outputs.
    pub side: usize,
    /// A guest that has so many of them that no cache holds them.
    pub bundle: Signed,
    /// Memory of one of its sandboxes, in bytes: more than a host allows by default.
    pub memory: u64,
}

/// A question about a picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Generate {
    /// The part that is timed.
    pub timed: Timed,
    /// An encoded picture.
    pub picture: PathBuf,
    /// The question.
    pub prompt: String,
    /// The model as a bundle, and its publisher's key.
    pub bundle: BuiltIn,
}

/// The timed part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timed {
    /// From the request to the first text.
    FirstToken,
    /// A step of the decoder after that.
    Decode,
}

/// A bundle on disk and the trust directory for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Signed {
    /// The bundle.
    pub path: PathBuf,
    /// The trust directory.
    pub trust: PathBuf,
}

/// The built-in bundle, as the repository has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuiltIn {
    /// The bundle.
    pub path: PathBuf,
    /// Its publisher's key.
    pub key: PathBuf,
}

/// The answer of an engine that is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// Name and version.
    pub about: String,
    /// The result, for the driver to compare: the vectors, one after another, or [`gemm_sample`].
    pub output: Vec<f32>,
}

/// The reason that there is no figure.
#[derive(Debug)]
pub enum NoFigure {
    /// The engine lacks the workload.
    Missing(String),
    /// The engine has it, and failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for NoFigure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl NoFigure {
    /// Reports that the engine lacks the workload.
    pub fn missing(why: &str) -> Self {
        Self::Missing(why.to_owned())
    }

    /// Takes either reason for a failure, where an engine was ready and should lack nothing.
    pub fn into_error(self) -> anyhow::Error {
        match self {
            Self::Missing(why) => anyhow::anyhow!(why),
            Self::Failed(error) => error,
        }
    }
}

/// A program that computes workloads and times itself.
pub trait Engine {
    /// Gets ready for a workload, in the place of the last one, and computes it once.
    ///
    /// # Errors
    ///
    /// [`NoFigure::Missing`] when the engine lacks the workload, [`NoFigure::Failed`] when it fails.
    fn prepare(&mut self, job: Job) -> Result<Ready, NoFigure>;

    /// Computes `times` times, one after another; milliseconds of each.
    ///
    /// # Errors
    ///
    /// When it fails.
    fn run(&mut self, times: usize) -> Result<Vec<f64>, NoFigure>;

    /// Computes `times` times in each of `at_once` sandboxes at once; milliseconds in all.
    ///
    /// # Errors
    ///
    /// When there are no sandboxes, or something fails.
    fn together(&mut self, times: usize, at_once: usize) -> Result<f64, NoFigure> {
        let _ = (times, at_once);
        Err(NoFigure::missing("this engine has no sandboxes"))
    }

    /// The most memory of its own that a sandbox had at any time of `times` requests.
    ///
    /// # Errors
    ///
    /// When there are no sandboxes, or something fails.
    fn private_bytes(&mut self, times: usize) -> Result<u64, NoFigure> {
        let _ = times;
        Err(NoFigure::missing("this engine has no sandboxes"))
    }
}

/// Returns the element at `index` of a matrix to multiply, in [-0.5, 0.5): evenly spread, and equal in every
/// engine.
pub fn matrix_value(index: usize) -> f32 {
    // The golden ratio's multiples, of which 24 bits are what an f32 holds.
    let bits = (index as u32).wrapping_mul(2_654_435_769) >> 8;
    bits as f32 / 16_777_216.0 - 0.5
}

/// Takes the part of a product that is compared: the beginning of its first row and the end of its last.
pub fn gemm_sample(y: &[f32]) -> Vec<f32> {
    let part = GEMM_SAMPLE.min(y.len());
    [&y[..part], &y[y.len() - part..]].concat()
}

/// Elements of either end of a product that are compared.
pub const GEMM_SAMPLE: usize = 16;
