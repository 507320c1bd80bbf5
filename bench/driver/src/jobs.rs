//! The job that tells an engine of a workload, and the result that it should have.

use bench_engine::{BuiltIn, Embed, Gemm, Generate, Job, Numbers, Work};

use crate::inputs::Inputs;
use crate::reference::{GEMV_SIDE, bandwidth_bytes, product_sample};
use crate::workload::Workload;

/// Makes the job, or says which of its inputs is missing.
pub(crate) fn job(workload: &Workload, threads: usize, inputs: &Inputs) -> Result<Job, String> {
    let work = work(workload, inputs)?;
    Ok(Job { threads, work })
}

/// Returns the result that engines should have, where it is known beforehand.
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

fn work(workload: &Workload, inputs: &Inputs) -> Result<Work, String> {
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
            Work::Embed(Embed {
                numbers,
                ids: texts.ids,
                texts: texts.texts,
                onnx: form.onnx.clone()?,
                weights: encoder.weights.clone(),
                bundle: form.bundle.clone(),
            })
        }
        Workload::TinyVlm(timed) => Work::Generate(Generate {
            timed,
            picture: inputs.root.join("samples/crowd.jpeg"),
            prompt: "describe the image.".to_owned(),
            bundle: BuiltIn {
                path: inputs.root.join("host/cli/builtin/tiny-vlm"),
                key: inputs
                    .root
                    .join("host/cli/builtin/tiny-vlm/publisher.pub.pem"),
            },
        }),
        Workload::Gemm { m, k, n } => {
            let bundle = inputs.multiplier.clone().ok_or("there is no multiplier")?;
            Work::Gemm(Gemm { m, k, n, bundle })
        }
        Workload::GemvQ4 => {
            let rotation = inputs.rotation.clone().ok_or("there is no rotation")?;
            Work::GemvQ4(rotation)
        }
        Workload::ReadBandwidth => Work::ReadBandwidth {
            bytes: bandwidth_bytes(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inputs, workload};

    #[test]
    fn engines_understand_every_job() {
        let inputs = inputs::tests::inputs();
        for workload in workload::all() {
            let job = job(&workload, 2, &inputs).unwrap();
            let said = serde_json::to_string(&job).unwrap();
            let understood: Job = serde_json::from_str(&said).unwrap();
            assert_eq!(understood.threads, 2);
            assert_eq!(serde_json::to_string(&understood).unwrap(), said);
            if let (Workload::Minilm { tokens, texts, .. }, Work::Embed(embed)) =
                (workload, understood.work)
            {
                assert_eq!((embed.texts.len(), embed.ids.len()), (texts, texts));
                assert!(embed.ids.iter().all(|ids| ids.len() == tokens));
            }
        }
    }

    /// Engines in Python and JavaScript read these names.
    #[test]
    fn a_job_names_its_work_and_its_numbers_as_the_scripts_read_them() {
        let inputs = inputs::tests::inputs();
        let job = job(&Workload::MAIN, 1, &inputs).unwrap();
        let json = serde_json::to_value(job).unwrap();
        assert_eq!(
            (&json["kind"], &json["numbers"]),
            (&"embed".into(), &"f32".into())
        );
        assert_eq!(json["threads"], 1);
        assert_eq!(json["onnx"], "minilm-f32.onnx");
    }
}
