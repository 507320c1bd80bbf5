//! rten as an engine of the benchmark: natively, and the same program compiled to WebAssembly.
#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use bench_engine::{Engine, Job, NoFigure, Ready, Work, serve};
use rten::{Model, RunOptions, ThreadPool};
use rten_tensor::{NdTensor, Tensor};

/// An encoder, and what it is asked.
struct Encoder {
    model: Model,
    /// `[texts, tokens]`.
    ids: NdTensor<i32, 2>,
    pool: Arc<ThreadPool>,
}

impl Encoder {
    fn vectors(&self) -> Result<Vec<f32>, NoFigure> {
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let vectors = self.model.run_one(self.ids.view().into(), Some(options))?;
        let vectors = Tensor::<f32>::try_from(vectors)?;
        Ok(vectors.into_data())
    }
}

#[derive(Default)]
struct Rten(Option<Encoder>);

impl Engine for Rten {
    fn prepare(&mut self, job: Job) -> Result<Ready, NoFigure> {
        // The last model first: both together may not fit into 32 bits of addresses.
        self.0 = None;
        let Work::Embed(embed) = job.work else {
            return Err(NoFigure::missing("runs the sentence encoder only"));
        };
        if job.threads > 1 && cfg!(target_family = "wasm") {
            return Err(NoFigure::missing("a component has one thread"));
        }
        let onnx = std::fs::read(&embed.onnx).context("the model")?;
        let model = Model::load(onnx)
            .map_err(|error| NoFigure::missing(&format!("does not load this graph: {error}")))?;
        let shape = [embed.ids.len(), embed.ids.first().map_or(0, Vec::len)];
        let ids = embed.ids.into_iter().flatten().map(i32::try_from);
        let ids = NdTensor::from_data(shape, ids.collect::<Result<Vec<_>, _>>()?);
        let pool = Arc::new(ThreadPool::with_num_threads(job.threads));
        let encoder = self.0.insert(Encoder { model, ids, pool });
        Ok(Ready {
            about: "rten 0.27.0".to_owned(),
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
    serve(&mut Rten::default())
}
