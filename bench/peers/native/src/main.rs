//! The yardsticks of the benchmark: the speed of the processor and its memory with one thread.

mod bandwidth;
mod product;

use anyhow::anyhow;
use bench_engine::{Engine, Job, NoFigure, Ready, Work, serve};

use crate::bandwidth::Bandwidth;
use crate::product::Product;

/// The prepared workload.
#[derive(Default)]
enum Native {
    #[default]
    Nothing,
    Product(Product),
    Bandwidth(Bandwidth),
}

impl Engine for Native {
    fn prepare(&mut self, job: Job) -> Result<Ready, NoFigure> {
        *self = Native::Nothing;
        let ready;
        (*self, ready) = match job.work {
            Work::Gemm(shape) => {
                let (product, ready) = Product::new(shape.m, shape.k, shape.n);
                (Native::Product(product), ready)
            }
            Work::ReadBandwidth { bytes } => {
                let (bandwidth, ready) = Bandwidth::new(bytes);
                (Native::Bandwidth(bandwidth), ready)
            }
            _ => return Err(NoFigure::missing("measures the machine, not a model")),
        };
        Ok(ready)
    }

    fn run(&mut self, times: usize) -> Result<Vec<f64>, NoFigure> {
        match self {
            Native::Nothing => Err(anyhow!("nothing is prepared").into()),
            Native::Product(product) => Ok((0..times).map(|_| product.run()).collect()),
            Native::Bandwidth(bandwidth) => Ok((0..times).map(|_| bandwidth.run()).collect()),
        }
    }
}

fn main() -> std::io::Result<()> {
    serve(&mut Native::default())
}
