//! The rows of a report.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::engine::Engine;
use crate::reference::{GEMV_SIDE, bandwidth_bytes, four_bit_bytes};
use crate::statistics::median;
use crate::workload::Workload;

/// The time of an engine for a workload, or the reason that there is none.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) workload: String,
    pub(crate) engine: String,
    pub(crate) threads: usize,
    pub(crate) median_ms: Option<f64>,
    pub(crate) min_ms: Option<f64>,
    pub(crate) runs: usize,
    /// Ratio of medians; less than one where Ampoule is faster.
    pub(crate) ratio_ampoule_over_engine: Option<f64>,
    pub(crate) ratio_host_kernels_over_engine: Option<f64>,
    /// Speed of a product.
    pub(crate) gflops: Option<f64>,
    /// Speed beside that of the native product with AVX2 on one thread.
    pub(crate) share_of_native_avx2: Option<f64>,
    /// Speed at which memory is read, or a matrix that no cache holds.
    pub(crate) gb_per_s: Option<f64>,
    /// Cosine of the engine's result with the reference.
    pub(crate) cosine: Option<f64>,
    /// Name and version, as the engine says.
    pub(crate) about: Option<String>,
    /// Reason that there is no figure.
    pub(crate) missing: Option<String>,
}

/// The outcome of one engine at one workload.
pub(crate) enum Found {
    Times(Times),
    Missing(String),
}

/// The times of an engine, in milliseconds, and its result's nearness to the reference.
pub(crate) struct Times {
    pub(crate) ms: Vec<f64>,
    pub(crate) cosine: Option<f64>,
    pub(crate) about: String,
}

/// Makes the rows of a workload.
pub(crate) fn rows(workload: &Workload, found: &BTreeMap<(usize, Engine), Found>) -> Vec<Row> {
    let median_of = |engine, threads| match found.get(&(threads, engine)) {
        Some(Found::Times(times)) => median(times.ms.clone()),
        _ => None,
    };
    let row = |(&(threads, engine), found): (&(usize, Engine), &Found)| {
        let mut row = Row::empty(workload, engine, threads);
        let times = match found {
            Found::Missing(why) => {
                row.missing = Some(why.clone());
                return row;
            }
            Found::Times(times) => times,
        };
        let own = median(times.ms.clone());
        let ratio = |ours| Some(median_of(ours, threads)? / own?);
        row.median_ms = own;
        row.min_ms = times.ms.iter().copied().min_by(f64::total_cmp);
        row.runs = times.ms.len();
        row.ratio_ampoule_over_engine = ratio(Engine::Ampoule);
        row.ratio_host_kernels_over_engine = ratio(Engine::AmpouleHostKernels);
        row.gflops = workload.flops().and_then(|flops| Some(flops / own? / 1e6));
        if workload.flops().is_some() {
            row.share_of_native_avx2 =
                median_of(Engine::GemmNative, 1).and_then(|gemm| Some(gemm / own?));
        }
        // Far below 2^53.
        row.gb_per_s = bytes_read(workload).and_then(|bytes| Some(bytes as f64 / own? / 1e6));
        row.cosine = times.cosine;
        row.about = Some(times.about.clone());
        row
    };
    found.iter().map(row).collect()
}

/// Returns the bytes that a workload reads, where it waits for the memory and nothing else.
fn bytes_read(workload: &Workload) -> Option<usize> {
    match workload {
        Workload::ReadBandwidth => Some(bandwidth_bytes()),
        Workload::GemvQ4 => Some(four_bit_bytes(GEMV_SIDE)),
        _ => None,
    }
}

impl Row {
    fn empty(workload: &Workload, engine: Engine, threads: usize) -> Self {
        Self {
            workload: workload.name(),
            engine: engine.name(),
            threads,
            median_ms: None,
            min_ms: None,
            runs: 0,
            ratio_ampoule_over_engine: None,
            ratio_host_kernels_over_engine: None,
            gflops: None,
            share_of_native_avx2: None,
            gb_per_s: None,
            cosine: None,
            about: None,
            missing: None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn times(ms: &[f64]) -> Found {
        Found::Times(Times {
            ms: ms.to_vec(),
            cosine: Some(0.9995),
            about: "an engine 1.0".to_owned(),
        })
    }

    #[test]
    fn ratios_are_of_medians_with_as_many_threads() {
        let found = BTreeMap::from([
            ((1, Engine::Ampoule), times(&[100.0, 90.0, 400.0])),
            ((1, Engine::OnnxruntimeNative), times(&[40.0, 50.0])),
            ((2, Engine::OnnxruntimeNative), times(&[25.0])),
            ((2, Engine::AmpouleHostKernels), times(&[30.0])),
            (
                (1, Engine::TractWasm),
                Found::Missing("not built".to_owned()),
            ),
        ]);
        let rows = rows(&Workload::MAIN, &found);
        let row = |engine: &str, threads| {
            let mut rows = rows.iter();
            rows.find(|row| row.engine == engine && row.threads == threads)
                .unwrap()
        };
        let one = row("onnxruntime-native", 1);
        assert_eq!(
            (one.median_ms, one.min_ms, one.runs),
            (Some(45.0), Some(40.0), 2)
        );
        assert_eq!(one.ratio_ampoule_over_engine, Some(100.0 / 45.0));
        assert_eq!(one.ratio_host_kernels_over_engine, None);
        let two = row("onnxruntime-native", 2);
        assert_eq!(two.ratio_ampoule_over_engine, None);
        assert_eq!(two.ratio_host_kernels_over_engine, Some(1.2));
        assert_eq!(row("ampoule", 1).ratio_ampoule_over_engine, Some(1.0));
        let missing = row("tract-wasm", 1);
        assert_eq!((missing.median_ms, missing.runs), (None, 0));
        assert_eq!(missing.missing.as_deref(), Some("not built"));
    }

    #[test]
    fn a_product_is_told_in_operations_and_beside_the_native_one() {
        let found = BTreeMap::from([
            ((1, Engine::Ampoule), times(&[4.0])),
            ((1, Engine::GemmNative), times(&[1.5])),
        ]);
        let rows = rows(&Workload::MAIN_GEMM, &found);
        assert_eq!(rows[0].share_of_native_avx2, Some(0.375));
        assert_eq!(rows[1].share_of_native_avx2, Some(1.0));
        // 2 · 128 · 384 · 1536 in 4 ms.
        assert_eq!(
            rows[0].gflops.map(|gflops| (gflops * 10.0).round()),
            Some(377.0)
        );
    }
}
