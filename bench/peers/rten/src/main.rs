//! rten as an engine of the benchmark: natively, and the same program compiled to WebAssembly.
#![forbid(unsafe_code)]

use std::sync::Arc;

use anyhow::Context as _;
use bench_engine::{Embed, Encoder, NoFigure, serve_encoder};
use rten::{Model, ModelOptions, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

/// A graph, and the token ids of a request, `[texts, tokens]`.
struct Rten {
    model: Model,
    ids: NdTensor<i32, 2>,
    pool: Arc<ThreadPool>,
}

impl Encoder for Rten {
    const ABOUT: &str = "rten 0.27.0";

    fn load(embed: Embed, threads: usize) -> Result<Self, NoFigure> {
        if threads > 1 && cfg!(target_family = "wasm") {
            return Err(NoFigure::missing("a component has one thread"));
        }
        let onnx = std::fs::read(&embed.onnx).context("the model")?;
        let model: Result<Model, _> = ModelOptions::with_all_ops()
            .prepack_weights(true)
            .load(onnx);
        let model = model
            .map_err(|error| NoFigure::missing(&format!("does not load this graph: {error}")))?;
        let ids = embed.flat_ids().into_iter().map(i32::try_from);
        Ok(Self {
            model,
            ids: NdTensor::from_data(embed.shape(), ids.collect::<Result<Vec<_>, _>>()?),
            pool: Arc::new(ThreadPool::with_num_threads(threads)),
        })
    }

    fn vectors(&self) -> Result<Vec<f32>, NoFigure> {
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let vectors = self.model.run_one(self.ids.view().into(), Some(options))?;
        Ok(Tensor::<f32>::try_from(vectors)?.into_data())
    }
}

fn main() -> std::io::Result<()> {
    serve_encoder::<Rten>()
}
