//! tract as an engine of the benchmark: natively, and the same program compiled to WebAssembly.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use bench_engine::{Engine, Job, NoFigure, Ready, Work, serve};
use tract_onnx::prelude::*;

/// An encoder, made for one shape of input, and what it is asked.
struct Encoder {
    model: Arc<TypedRunnableModel>,
    /// `[texts, tokens]`.
    ids: TValue,
}

impl Encoder {
    fn vectors(&self) -> Result<Vec<f32>, NoFigure> {
        let vectors = self.model.run(tvec![self.ids.clone()])?;
        let vectors = vectors.first().ok_or_else(|| anyhow!("no output"))?;
        Ok(vectors
            .to_plain_array_view::<f32>()?
            .iter()
            .copied()
            .collect())
    }
}

#[derive(Default)]
struct Tract(Option<Encoder>);

impl Engine for Tract {
    fn prepare(&mut self, job: Job) -> Result<Ready, NoFigure> {
        self.0 = None;
        let Work::Embed(embed) = job.work else {
            return Err(NoFigure::missing("runs the sentence encoder only"));
        };
        if job.threads > 1 {
            return Err(NoFigure::missing("runs on one thread"));
        }
        let shape = [embed.ids.len(), embed.ids.first().map_or(0, Vec::len)];
        let ids: Vec<i64> = embed.ids.into_iter().flatten().collect();
        let ids = Tensor::from_shape(&shape, &ids)?.into_tvalue();
        let onnx = std::fs::read(&embed.onnx).context("the model")?;
        let load = || {
            tract_onnx::onnx()
                .model_for_read(&mut onnx.as_slice())?
                .with_input_fact(0, i64::fact(shape).into())?
                .into_optimized()?
                .into_runnable()
        };
        let model = load()
            .map_err(|error| NoFigure::missing(&format!("does not load this graph: {error}")))?;
        let encoder = self.0.insert(Encoder { model, ids });
        Ok(Ready {
            about: "tract 0.23.9".to_owned(),
            output: encoder.vectors()?,
        })
    }

    fn run(&mut self, times: usize) -> Result<Vec<f64>, NoFigure> {
        let encoder = self
            .0
            .as_ref()
            .ok_or_else(|| anyhow!("nothing is prepared"))?;
        let time = |_| {
            let began = Instant::now();
            encoder.vectors()?;
            Ok(began.elapsed().as_secs_f64() * 1e3)
        };
        (0..times).map(time).collect()
    }
}

fn main() -> std::io::Result<()> {
    serve(&mut Tract::default())
}
