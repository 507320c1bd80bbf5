//! Targets: bounds on some of the figures.

use serde::Serialize;

use crate::engine::Engine;
use crate::figures::Row;
use crate::measure::Measured;
use crate::together::Together;
use crate::workload::Workload;

/// A bound on a figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    pub(crate) what: &'static str,
    #[serde(flatten)]
    pub(crate) bound: Bound,
    /// Figure that was found; `null` without a measurement.
    pub(crate) figure: Option<f64>,
    pub(crate) verdict: Verdict,
}

/// A bound from below or above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// Verdict on a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Pass,
    Miss,
    NotMeasured,
}

impl Target {
    pub(crate) fn new(what: &'static str, bound: Bound, figure: Option<f64>) -> Self {
        Self {
            what,
            bound,
            figure,
            verdict: bound.verdict(figure),
        }
    }
}

impl Bound {
    fn verdict(self, figure: Option<f64>) -> Verdict {
        match (self, figure) {
            (_, None) => Verdict::NotMeasured,
            (Self::AtLeast(bound), Some(figure)) if figure >= bound => Verdict::Pass,
            (Self::AtMost(bound), Some(figure)) if figure <= bound => Verdict::Pass,
            _ => Verdict::Miss,
        }
    }
}

const MAIN_INT8: &str = "minilm-int8-128";

/// Lists every target with its figure.
pub(crate) fn targets(measured: &Measured) -> Vec<Target> {
    let figures = Figures(&measured.rows);
    let main = Workload::MAIN.name();
    let gemm = Workload::MAIN_GEMM.name();
    let ampoule_over = |engine| figures.ratio(&main, Engine::Ampoule, engine, 1);
    let host_kernels_over_native = |threads| {
        figures.ratio(
            &main,
            Engine::AmpouleHostKernels,
            Engine::OnnxruntimeNative,
            threads,
        )
    };
    let int8 = figures.median(MAIN_INT8, Engine::Ampoule, 1);
    let int8_over_f32 = int8.zip(figures.median(&main, Engine::Ampoule, 1));
    let private_mib = measured
        .private_bytes
        .map(|bytes| bytes as f64 / f64::from(1 << 20));
    use Bound::{AtLeast, AtMost};
    vec![
        Target::new(
            "product 128×384×1536 in the guest, share of native AVX2",
            AtLeast(0.38),
            figures
                .row(&gemm, Engine::Ampoule, 1)
                .and_then(|row| row.share_of_native_avx2),
        ),
        Target::new(
            "MiniLM at 128 tokens, metered over unmetered",
            AtMost(1.06),
            ampoule_over(Engine::AmpouleUnmetered),
        ),
        Target::new(
            "MiniLM at 128 tokens over onnxruntime-web",
            AtMost(0.70),
            ampoule_over(Engine::OnnxruntimeWeb),
        ),
        Target::new(
            "MiniLM at 128 tokens over rten-wasm, metered as well",
            AtMost(0.45),
            ampoule_over(Engine::RtenWasm),
        ),
        Target::new(
            "MiniLM at 128 tokens over onnxruntime-native",
            AtMost(2.6),
            ampoule_over(Engine::OnnxruntimeNative),
        ),
        Target::new(
            "MiniLM at 128 tokens, int8 over f32",
            AtMost(0.75),
            int8_over_f32.map(|(int8, f32)| int8 / f32),
        ),
        Target::new(
            "MiniLM at 128 tokens, cosine of int8",
            AtLeast(0.995),
            figures
                .row(MAIN_INT8, Engine::Ampoule, 1)
                .and_then(|row| row.cosine),
        ),
        Target::new(
            "host kernels over onnxruntime-native, one thread each",
            AtMost(1.15),
            host_kernels_over_native(1),
        ),
        Target::new(
            "host kernels over onnxruntime-native, two threads each",
            AtMost(1.15),
            host_kernels_over_native(2),
        ),
        Target::new(
            "two sandboxes on two cores over one, beside two native processes",
            AtLeast(0.95),
            measured.together.as_ref().map(Together::normalised),
        ),
        Target::new(
            "4-bit weights times a vector in the guest, share of one core's bandwidth",
            AtLeast(0.35),
            figures.bandwidth_share(Engine::Ampoule),
        ),
        Target::new(
            "the same by host kernels",
            AtLeast(0.6),
            figures.bandwidth_share(Engine::AmpouleHostKernels),
        ),
        Target::new(
            "memory of its own of a sandbox at 128 tokens, MiB",
            AtMost(12.0),
            private_mib,
        ),
    ]
}

/// The rows, looked up by workload and engine.
struct Figures<'a>(&'a [Row]);

impl Figures<'_> {
    fn row(&self, workload: &str, engine: Engine, threads: usize) -> Option<&Row> {
        let name = engine.name();
        self.0
            .iter()
            .find(|row| row.workload == workload && row.engine == name && row.threads == threads)
    }

    fn median(&self, workload: &str, engine: Engine, threads: usize) -> Option<f64> {
        self.row(workload, engine, threads)?.median_ms
    }

    fn ratio(&self, workload: &str, ours: Engine, theirs: Engine, threads: usize) -> Option<f64> {
        let median = |engine| self.median(workload, engine, threads);
        Some(median(ours)? / median(theirs)?)
    }

    fn bandwidth_share(&self, engine: Engine) -> Option<f64> {
        let gb_per_s = |workload: Workload, engine| self.row(&workload.name(), engine, 1)?.gb_per_s;
        let all = gb_per_s(Workload::ReadBandwidth, Engine::MemoryNative)?;
        Some(gb_per_s(Workload::GemvQ4, engine)? / all)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::figures::{self, Found, tests::times};

    fn found_of(rows: &[Target], what: &str) -> (Option<f64>, Verdict) {
        let target = rows
            .iter()
            .find(|target| target.what.contains(what))
            .unwrap();
        (target.figure, target.verdict)
    }

    #[test]
    fn what_was_not_measured_is_neither_passed_nor_missed() {
        for target in targets(&Measured::default()) {
            assert_eq!(
                (target.figure, target.verdict),
                (None, Verdict::NotMeasured),
                "{}",
                target.what
            );
        }
    }

    #[test]
    fn a_target_is_passed_at_its_bound_and_missed_beyond_it() {
        let found: BTreeMap<(usize, Engine), Found> = BTreeMap::from([
            ((1, Engine::Ampoule), times(&[100.0])),
            ((1, Engine::AmpouleUnmetered), times(&[90.0])),
            ((1, Engine::OnnxruntimeWeb), times(&[200.0])),
            (
                (1, Engine::AmpouleHostKernels),
                Found::Missing("not built".to_owned()),
            ),
            ((1, Engine::OnnxruntimeNative), times(&[40.0])),
        ]);
        let measured = Measured {
            rows: figures::rows(&Workload::MAIN, &found),
            private_bytes: Some(12 << 20),
            ..Measured::default()
        };
        let targets = targets(&measured);
        assert_eq!(
            found_of(&targets, "onnxruntime-web"),
            (Some(0.5), Verdict::Pass)
        );
        assert_eq!(
            found_of(&targets, "over onnxruntime-native"),
            (Some(2.5), Verdict::Pass)
        );
        assert_eq!(
            found_of(&targets, "unmetered"),
            (Some(100.0 / 90.0), Verdict::Miss)
        );
        assert_eq!(
            found_of(&targets, "host kernels over"),
            (None, Verdict::NotMeasured)
        );
        assert_eq!(found_of(&targets, "MiB"), (Some(12.0), Verdict::Pass));
        assert_eq!(Bound::AtLeast(0.38).verdict(Some(0.379)), Verdict::Miss);
        assert_eq!(Bound::AtMost(1.0).verdict(Some(f64::NAN)), Verdict::Miss);
    }
}
