//! What an engine is told of a workload: `Job` in `bench/peers/engine`.

use serde_json::{Value, json};

use super::bundles::Signed;
use super::inputs::Inputs;
use super::machine;
use super::workload::{GEMV_SIDE, Numbers, Timed, Workload};

/// How many times the last level of cache is read.
const TIMES_THE_CACHE: usize = 4;

/// The job; why there is none, where something for it is missing.
pub(crate) fn job(workload: &Workload, threads: usize, inputs: &Inputs) -> Result<Value, String> {
    let mut job = work(workload, inputs)?;
    job["threads"] = json!(threads);
    Ok(job)
}

/// What engines should compute, where that is known beforehand.
pub(crate) fn reference(workload: &Workload, inputs: &Inputs) -> Option<Vec<f64>> {
    match *workload {
        Workload::Minilm { tokens, texts, .. } => {
            Some(inputs.encoder.as_ref()?.reference(tokens, texts)?.to_vec())
        }
        Workload::Gemm { m, k, n } => Some(product_sample(m, k, n)),
        Workload::GemvQ4 => Some(product_sample(1, GEMV_SIDE, GEMV_SIDE)),
        _ => None,
    }
}

fn work(workload: &Workload, inputs: &Inputs) -> Result<Value, String> {
    Ok(match *workload {
        Workload::Minilm {
            numbers,
            tokens,
            texts,
        } => {
            let encoder = inputs.encoder.as_ref().ok_or("there is no encoder")?;
            let form = match numbers {
                Numbers::F32 => &encoder.f32,
                Numbers::Int8 => encoder.int8.as_ref().ok_or("there is none in integers")?,
            };
            let texts = encoder.texts(tokens, texts);
            json!({
                "kind": "embed",
                "numbers": numbers.name(),
                "ids": texts.ids,
                "texts": texts.texts,
                "onnx": form.onnx.as_ref().map_err(String::clone)?,
                "weights": encoder.weights,
                "bundle": signed(&form.bundle),
            })
        }
        Workload::TinyVlm(timed) => json!({
            "kind": "generate",
            "timed": match timed {
                Timed::FirstToken => "first-token",
                Timed::Decode => "decode",
            },
            "picture": inputs.root.join("samples/crowd.jpeg"),
            "prompt": "describe the image.",
            "bundle": {
                "path": inputs.root.join("host/cli/builtin/tiny-vlm"),
                "key": inputs.root.join("host/cli/builtin/tiny-vlm/publisher.pub.pem"),
            },
        }),
        Workload::Gemm { m, k, n } => {
            let bundle = inputs.multiplier.as_ref().ok_or("there is no multiplier")?;
            json!({ "kind": "gemm", "m": m, "k": k, "n": n, "bundle": signed(bundle) })
        }
        Workload::GemvQ4 => {
            let rotation = inputs.rotation.as_ref().ok_or("there is no rotation")?;
            json!({
                "kind": "gemv-q4",
                "side": GEMV_SIDE,
                "bundle": signed(&rotation.bundle),
                "memory": rotation.memory,
            })
        }
        Workload::ReadBandwidth => {
            json!({ "kind": "read-bandwidth", "bytes": bandwidth_bytes() })
        }
    })
}

/// How much memory is read to measure how fast that is.
pub(crate) fn bandwidth_bytes() -> usize {
    TIMES_THE_CACHE * machine::last_level_cache()
}

fn signed(bundle: &Signed) -> Value {
    json!({ "path": bundle.path, "trust": bundle.trust })
}

/// Both ends of the product, sixteen elements each: the first row's beginning and the last row's end.
fn product_sample(m: usize, k: usize, n: usize) -> Vec<f64> {
    const SAMPLE: usize = 16;
    let element = |index: usize| {
        let (row, column) = (index / n, index % n);
        let products = (0..k).map(|i| matrix_value(row * k + i) * matrix_value(column * k + i));
        products.sum::<f64>()
    };
    let size = m * n;
    let part = SAMPLE.min(size);
    (0..part).chain(size - part..size).map(element).collect()
}

/// The element at `index` of a matrix to multiply: the same as in the engines.
pub(crate) fn matrix_value(index: usize) -> f64 {
    // Wraps as their indices do; the products here have fewer elements.
    let bits = (index as u32).wrapping_mul(2_654_435_769) >> 8;
    f64::from(bits) / 16_777_216.0 - 0.5
}

#[cfg(test)]
mod tests {
    use bench_engine::{Job, Work};

    use super::super::workload;
    use super::*;

    #[test]
    fn engines_understand_every_job() {
        let inputs = super::super::inputs::tests::inputs();
        for workload in workload::all() {
            let job = job(&workload, 2, &inputs).unwrap();
            let understood: Job = serde_json::from_value(job).unwrap();
            assert_eq!(understood.threads, 2);
            if let (Workload::Minilm { tokens, texts, .. }, Work::Embed(embed)) =
                (workload, understood.work)
            {
                assert_eq!((embed.texts.len(), embed.ids.len()), (texts, texts));
                assert!(embed.ids.iter().all(|ids| ids.len() == tokens));
            }
        }
    }

    #[test]
    fn engines_multiply_the_same_matrices() {
        for index in [0, 1, 2, 589_823] {
            assert_eq!(
                f64::from(bench_engine::matrix_value(index)),
                matrix_value(index)
            );
        }
        let y: Vec<f32> = (0..64_u8).map(f32::from).collect();
        assert_eq!(
            bench_engine::gemm_sample(&y).len(),
            product_sample(4, 1, 16).len()
        );
    }

    #[test]
    fn the_sample_of_a_product_is_of_its_first_row_and_its_last() {
        let sample = product_sample(2, 3, 16);
        assert_eq!(sample.len(), 32);
        let element = |row: usize, column: usize| -> f64 {
            (0..3)
                .map(|i| matrix_value(row * 3 + i) * matrix_value(column * 3 + i))
                .sum()
        };
        assert_eq!((sample[0], sample[15]), (element(0, 0), element(0, 15)));
        assert_eq!((sample[16], sample[31]), (element(1, 0), element(1, 15)));
        assert!((-0.5..0.5).contains(&matrix_value(12_345)));
    }
}
