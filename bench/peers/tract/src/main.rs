//! tract as an engine of the benchmark: natively, and the same program compiled to WebAssembly.
#![forbid(unsafe_code)]

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bench_engine::{Embed, Encoder, NoFigure, serve_encoder};
use tract_onnx::prelude::*;

/// A graph, made for one shape of input, and the token ids of a request, `[texts, tokens]`.
struct Tract {
    model: Arc<TypedRunnableModel>,
    ids: TValue,
}

impl Encoder for Tract {
    const ABOUT: &str = "tract 0.23.9";

    fn load(embed: Embed, threads: usize) -> Result<Self, NoFigure> {
        if threads > 1 {
            return Err(NoFigure::missing("runs on one thread"));
        }
        let shape = embed.shape();
        let ids = Tensor::from_shape(&shape, &embed.flat_ids())?.into_tvalue();
        let onnx = std::fs::read(&embed.onnx).context("the model")?;
        let load = || {
            tract_onnx::onnx()
                .model_for_read(&mut onnx.as_slice())?
                .with_input_fact(0, i64::fact(shape).into())?
                .into_optimized()?
                .into_runnable()
        };
        let model = load()
            .map_err(|error| NoFigure::missing(&format!("does not load this graph: {error:#}")))?;
        Ok(Self { model, ids })
    }

    fn vectors(&self) -> Result<Vec<f32>, NoFigure> {
        let vectors = self.model.run(tvec![self.ids.clone()])?;
        let vectors = vectors.first().ok_or_else(|| anyhow!("no output"))?;
        let vectors = vectors.to_plain_array_view::<f32>()?;
        Ok(vectors.iter().copied().collect())
    }
}

fn main() -> std::io::Result<()> {
    serve_encoder::<Tract>()
}
