//! What an engine of the benchmark and its driver say to each other: a line of JSON each way, on
//! standard input and output.
//!
//! | asked | answered |
//! | --- | --- |
//! | `{"prepare": {"threads": 1, "kind": "embed", ...}}` | `{"about": "...", "output": [...]}` |
//! | `{"run": {"times": 5}}` | `{"ms": [...]}` |
//! | `{"together": {"times": 5, "at_once": 2}}` | `{"wall_ms": ...}` |
//! | `{"private_bytes": {"times": 5}}` | `{"bytes": ...}` |
//!
//! Where the engine cannot do what it is asked, by its nature or because it is not built yet, it
//! answers `{"missing": "why"}`; where something fails, `{"error": "what"}`. An engine measures its own
//! times, around the work alone.
#![forbid(unsafe_code)]

mod encoder;
mod serve;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use encoder::{Encoder, serve_encoder};
pub use serve::serve;

/// A workload and the files of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Job {
    /// How many threads may compute.
    pub threads: usize,
    /// What is computed.
    #[serde(flatten)]
    pub work: Work,
}

/// What is computed.
#[derive(Debug, Clone, Deserialize)]
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
        /// How much of it; several times what the caches hold.
        bytes: usize,
    },
}

/// What sentence vectors are made of.
#[derive(Debug, Clone, Deserialize)]
pub struct Embed {
    /// What the products are computed in.
    pub numbers: Numbers,
    /// Token ids, `[texts, tokens]`.
    pub ids: Vec<Vec<i64>>,
    /// The same for an engine that tokenizes.
    pub texts: Vec<String>,
    /// The network as an ONNX graph: `ids` `[texts, tokens]` to `vectors` `[texts, 384]`.
    pub onnx: PathBuf,
    /// `config.json` and `model.safetensors`.
    pub weights: PathBuf,
    /// The same as a signed bundle.
    pub bundle: Signed,
}

impl Embed {
    /// `[texts, tokens]`.
    pub fn shape(&self) -> [usize; 2] {
        [self.ids.len(), self.ids.first().map_or(0, Vec::len)]
    }

    /// The token ids, one text after another.
    pub fn flat_ids(&self) -> Vec<i64> {
        self.ids.concat()
    }
}

/// What the products of a network are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// 32-bit floats.
    F32,
    /// 8-bit integers.
    Int8,
}

/// `y = x·wᵀ` with `x` `[m, k]` and `w` `[n, k]`, both of [`matrix_value`]s.
#[derive(Debug, Clone, Deserialize)]
pub struct Gemm {
    /// Rows of `x`.
    pub m: usize,
    /// What is summed over.
    pub k: usize,
    /// Rows of `w`.
    pub n: usize,
    /// A guest that multiplies.
    pub bundle: Signed,
}

/// Products of one row with matrices `[side, side]`, one after another, so that each comes from memory.
#[derive(Debug, Clone, Deserialize)]
pub struct Rotation {
    /// Inputs and outputs.
    pub side: usize,
    /// A guest that has so many of them that no cache holds them.
    pub bundle: Signed,
    /// What one of its sandboxes needs, in bytes: a host allows less by default.
    pub memory: u64,
}

/// A question about a picture.
#[derive(Debug, Clone, Deserialize)]
pub struct Generate {
    /// What is timed.
    pub timed: Timed,
    /// An encoded picture.
    pub picture: PathBuf,
    /// The question.
    pub prompt: String,
    /// The model as a bundle, and its publisher's key.
    pub bundle: BuiltIn,
}

/// What of an answer is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timed {
    /// From the request to the first text.
    FirstToken,
    /// A step of the decoder after that.
    Decode,
}

/// A bundle on disk and the trust directory for it.
#[derive(Debug, Clone, Deserialize)]
pub struct Signed {
    /// The bundle.
    pub path: PathBuf,
    /// The trust directory.
    pub trust: PathBuf,
}

/// The built-in bundle, as the repository has it.
#[derive(Debug, Clone, Deserialize)]
pub struct BuiltIn {
    /// The bundle.
    pub path: PathBuf,
    /// Its publisher's key.
    pub key: PathBuf,
}

/// What an engine says once it is ready.
#[derive(Debug, Clone, Serialize)]
pub struct Ready {
    /// Name and version.
    pub about: String,
    /// What it computes, for the driver to compare: the vectors, one after another, or
    /// [`gemm_sample`].
    pub output: Vec<f32>,
}

/// Why there is no figure.
#[derive(Debug)]
pub enum NoFigure {
    /// The engine does not have what is asked for.
    Missing(String),
    /// It has, and it failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for NoFigure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl NoFigure {
    /// The engine does not have what is asked for.
    pub fn missing(why: &str) -> Self {
        Self::Missing(why.to_owned())
    }
}

/// Something that computes, and can be timed.
pub trait Engine {
    /// Gets ready for a workload, in the place of the last one, and computes it once.
    ///
    /// # Errors
    ///
    /// When there is no such thing to be had from this engine, or it fails.
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

/// The element at `index` of a matrix to multiply, in [-0.5, 0.5): spread evenly, and the same in every
/// engine.
pub fn matrix_value(index: usize) -> f32 {
    // The golden ratio's multiples, of which 24 bits are what an f32 holds.
    let bits = (index as u32).wrapping_mul(2_654_435_769) >> 8;
    bits as f32 / 16_777_216.0 - 0.5
}

/// What of a product is compared: the beginning of its first row and the end of its last.
pub fn gemm_sample(y: &[f32]) -> Vec<f32> {
    let part = GEMM_SAMPLE.min(y.len());
    [&y[..part], &y[y.len() - part..]].concat()
}

/// How many elements of either end of a product are compared.
const GEMM_SAMPLE: usize = 16;
