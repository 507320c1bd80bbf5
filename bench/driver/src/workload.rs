//! The workloads: the work, the number of threads, and the engines that take part.

use bench_engine::{Numbers, Timed};

use crate::engine::Engine;
use crate::reference::GEMV_SIDE;

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    /// Makes sentence vectors with all-MiniLM-L6-v2.
    Minilm {
        numbers: Numbers,
        tokens: usize,
        texts: usize,
    },
    /// Answers a question about a picture with the built-in model.
    TinyVlm(Timed),
    /// Multiplies `[m, k]` by `[k, n]`.
    Gemm { m: usize, k: usize, n: usize },
    /// Multiplies a matrix of four-bit numbers by a vector.
    GemvQ4,
    /// Reads memory that is in no cache.
    ReadBandwidth,
}

const fn gemm(m: usize, k: usize, n: usize) -> Workload {
    Workload::Gemm { m, k, n }
}

/// Products of one layer of MiniLM at 128 tokens; the largest at other lengths; some of the built-in model, for the 36
/// rows of a picture and for one token; and one row with weights that no second-level cache holds.
const PRODUCTS: [Workload; 12] = [
    gemm(128, 384, 1536),
    gemm(128, 384, 1152),
    gemm(128, 384, 384),
    gemm(128, 1536, 384),
    gemm(256, 384, 1536),
    gemm(16, 384, 1536),
    gemm(1, 384, 1536),
    gemm(36, 160, 480),
    gemm(36, 512, 160),
    gemm(1, 160, 512),
    gemm(1, 160, 565),
    gemm(1, 2048, 2048),
];

/// Lists all workloads, in the report's order.
pub(crate) fn all() -> Vec<Workload> {
    let mut all = Vec::new();
    for numbers in [Numbers::F32, Numbers::Int8] {
        for (tokens, texts) in [(16, 1), (128, 1), (256, 1), (128, 8)] {
            all.push(Workload::Minilm {
                numbers,
                tokens,
                texts,
            });
        }
    }
    all.push(Workload::TinyVlm(Timed::FirstToken));
    all.push(Workload::TinyVlm(Timed::Decode));
    all.extend(PRODUCTS);
    all.push(Workload::GemvQ4);
    all.push(Workload::ReadBandwidth);
    all
}

impl Workload {
    /// The workload that most targets are set for.
    pub(crate) const MAIN: Self = Self::Minilm {
        numbers: Numbers::F32,
        tokens: 128,
        texts: 1,
    };

    /// The product that a target is set for.
    pub(crate) const MAIN_GEMM: Self = gemm(128, 384, 1536);

    /// Returns its name in the report.
    pub(crate) fn name(&self) -> String {
        match *self {
            Self::Minilm {
                numbers,
                tokens,
                texts,
            } => {
                let numbers = match numbers {
                    Numbers::F32 => "f32",
                    Numbers::Int8 => "int8",
                };
                match texts {
                    1 => format!("minilm-{numbers}-{tokens}"),
                    _ => format!("minilm-{numbers}-{tokens}-b{texts}"),
                }
            }
            Self::TinyVlm(Timed::FirstToken) => "tiny-vlm-first-token".to_owned(),
            Self::TinyVlm(Timed::Decode) => "tiny-vlm-decode".to_owned(),
            Self::Gemm { m, k, n } => format!("gemm-{m}x{k}x{n}"),
            Self::GemvQ4 => format!("gemv-q4-{GEMV_SIDE}x{GEMV_SIDE}"),
            Self::ReadBandwidth => "read-bandwidth".to_owned(),
        }
    }

    /// Lists the numbers of threads that it is measured with.
    pub(crate) fn threads(&self) -> &'static [usize] {
        if *self == Self::MAIN { &[1, 2] } else { &[1] }
    }

    /// Counts multiplications and additions; `None` for a workload that has other costs.
    pub(crate) fn flops(&self) -> Option<f64> {
        match *self {
            // Far below 2^53.
            Self::Gemm { m, k, n } => Some((2 * m * k * n) as f64),
            _ => None,
        }
    }

    /// Tells whether an engine is in the report of this workload at all.
    pub(crate) fn lists(&self, engine: Engine) -> bool {
        match self {
            Self::Minilm { .. } | Self::TinyVlm(_) => {
                !matches!(engine, Engine::GemmNative | Engine::MemoryNative)
            }
            Self::Gemm { .. } => engine.is_ampoule() || engine == Engine::GemmNative,
            Self::GemvQ4 => matches!(engine, Engine::Ampoule | Engine::AmpouleHostKernels),
            Self::ReadBandwidth => engine == Engine::MemoryNative,
        }
    }

    /// Accepts an engine that can be asked, or gives the reason that is known without asking.
    pub(crate) fn suits(&self, engine: Engine) -> Result<(), &'static str> {
        if !self.lists(engine) {
            return Err("is not measured with this");
        }
        match self {
            Self::TinyVlm(_) if !engine.is_ampoule() && engine != Engine::Pytorch => {
                Err("the model is there for the sandbox and the training framework only")
            }
            Self::Minilm {
                numbers: Numbers::Int8,
                ..
            } if matches!(engine, Engine::CandleNative | Engine::Pytorch) => {
                Err("the model in integers is there as an ONNX graph only")
            }
            _ => Ok(()),
        }
    }

    /// Tells whether an engine takes part with so many threads.
    pub(crate) fn takes_threads(engine: Engine, threads: usize) -> bool {
        let many = matches!(
            engine,
            Engine::AmpouleHostKernels
                | Engine::OnnxruntimeNative
                | Engine::RtenNative
                | Engine::CandleNative
                | Engine::Pytorch
        );
        threads == 1 || many
    }

    /// Returns the least cosine of an engine's output with the reference.
    pub(crate) fn least_cosine(&self) -> f64 {
        match self {
            Self::Minilm {
                numbers: Numbers::Int8,
                ..
            }
            | Self::GemvQ4 => 0.99,
            _ => 0.999,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_have_the_names_that_a_report_is_read_by() {
        let names: Vec<_> = all().iter().map(Workload::name).collect();
        for name in [
            "minilm-f32-16",
            "minilm-f32-128",
            "minilm-f32-256",
            "minilm-f32-128-b8",
            "minilm-int8-16",
            "minilm-int8-128",
            "minilm-int8-256",
            "minilm-int8-128-b8",
            "tiny-vlm-first-token",
            "tiny-vlm-decode",
            "gemm-128x384x1536",
            "gemv-q4-4096x4096",
        ] {
            assert!(names.iter().any(|found| found == name), "{name}");
        }
        assert_eq!(Workload::MAIN.name(), "minilm-f32-128");
        assert!(all().contains(&Workload::MAIN) && all().contains(&Workload::MAIN_GEMM));
    }

    #[test]
    fn every_engine_is_in_some_report() {
        for engine in Engine::all() {
            assert!(
                all().iter().any(|workload| workload.suits(*engine).is_ok()),
                "{engine:?}"
            );
        }
    }
}
