//! candle as an engine of the benchmark, with the encoder of `candle-transformers`.
#![forbid(unsafe_code)]

use std::time::Instant;

use anyhow::{Context as _, anyhow};
use bench_engine::{Engine, Job, NoFigure, Numbers, Ready, Work, serve};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::BertModel;

/// An encoder, and what it is asked.
struct Encoder {
    model: BertModel,
    /// `[texts, tokens]`.
    ids: Tensor,
    /// All of a text is one segment.
    segments: Tensor,
}

impl Encoder {
    fn vectors(&self) -> Result<Vec<f32>, NoFigure> {
        let rows = self.model.forward(&self.ids, &self.segments, None)?;
        let mean = rows.mean(1)?;
        let length = mean.sqr()?.sum_keepdim(1)?.sqrt()?;
        Ok(mean.broadcast_div(&length)?.flatten_all()?.to_vec1()?)
    }
}

#[derive(Default)]
struct Candle(Option<Encoder>);

impl Engine for Candle {
    fn prepare(&mut self, job: Job) -> Result<Ready, NoFigure> {
        self.0 = None;
        let Work::Embed(embed) = job.work else {
            return Err(NoFigure::missing("runs the sentence encoder only"));
        };
        if embed.numbers != Numbers::F32 {
            return Err(NoFigure::missing("has no such model in integers"));
        }
        let read = |name: &str| std::fs::read(embed.weights.join(name)).context(name.to_owned());
        let config = serde_json::from_slice(&read("config.json")?)?;
        let device = Device::Cpu;
        let weights =
            VarBuilder::from_buffered_safetensors(read("model.safetensors")?, DType::F32, &device)?;
        let shape = (embed.ids.len(), embed.ids.first().map_or(0, Vec::len));
        let ids: Vec<i64> = embed.ids.into_iter().flatten().collect();
        let ids = Tensor::from_vec(ids, shape, &device)?;
        let segments = ids.zeros_like()?;
        let model = BertModel::load(weights, &config)?;
        let encoder = self.0.insert(Encoder {
            model,
            ids,
            segments,
        });
        Ok(Ready {
            about: "candle 0.11.1".to_owned(),
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
    serve(&mut Candle::default())
}
