//! candle as an engine of the benchmark, with the encoder of `candle-transformers`.
#![forbid(unsafe_code)]

use anyhow::Context as _;
use bench_engine::{Embed, Encoder, NoFigure, Numbers, serve_encoder};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;

/// A network, and the token ids of a request, `[texts, tokens]`.
struct Candle {
    model: BertModel,
    ids: Tensor,
    /// Segments: all of a text is one.
    segments: Tensor,
}

impl Encoder for Candle {
    const ABOUT: &str = "candle 0.11.1";

    // The number of threads is in the environment, as for all that computes with rayon.
    fn load(embed: Embed, _threads: usize) -> Result<Self, NoFigure> {
        if embed.numbers != Numbers::F32 {
            return Err(NoFigure::missing("has no such model in integers"));
        }
        let read = |name: &str| std::fs::read(embed.weights.join(name)).context(name.to_owned());
        let config = serde_json::from_slice(&read("config.json")?)?;
        let device = Device::Cpu;
        let weights =
            VarBuilder::from_buffered_safetensors(read("model.safetensors")?, DType::F32, &device)?;
        let ids = Tensor::from_vec(embed.flat_ids(), &embed.shape(), &device)?;
        Ok(Self {
            model: BertModel::load(weights, &config)?,
            segments: ids.zeros_like()?,
            ids,
        })
    }

    fn vectors(&self) -> Result<Vec<f32>, NoFigure> {
        let rows = self.model.forward(&self.ids, &self.segments, None)?;
        let mean = rows.mean(1)?;
        let length = mean.sqr()?.sum_keepdim(1)?.sqrt()?;
        Ok(mean.broadcast_div(&length)?.flatten_all()?.to_vec1()?)
    }
}

fn main() -> std::io::Result<()> {
    serve_encoder::<Candle>()
}
