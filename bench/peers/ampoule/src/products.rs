//! Matrix products in a guest. Its clock is coarse, so the time of one is told from outside: by how much
//! longer a request for many takes than a request for none.

use std::time::Instant;

use ampoule::Model;
use anyhow::{Result, ensure};
use bench_engine::{Gemm, Rotation};
use tokio::runtime::Runtime;

use crate::milliseconds;

/// A guest that multiplies, and what it is asked.
pub(crate) struct Products {
    model: Model,
    /// What the guest knows the product by.
    name: String,
    /// Products in a request.
    count: u32,
}

/// Multiplications and additions of one request, about: 20 ms and more, beside which what differs
/// between two sandboxes is small.
const WORK: usize = 1_000_000_000;

impl Products {
    /// Of matrices in f32.
    pub(crate) fn new(model: Model, &Gemm { m, k, n, .. }: &Gemm) -> Self {
        Self::of(model, format!("{m}x{k}x{n}"), 2 * m * k * n)
    }

    /// Of a row with matrices of four bits.
    pub(crate) fn rotating(model: Model, &Rotation { side, .. }: &Rotation) -> Self {
        Self::of(model, "rotate".to_owned(), 2 * side * side)
    }

    fn of(model: Model, name: String, flops: usize) -> Self {
        Self {
            model,
            name,
            count: u32::try_from(WORK.div_ceil(flops.max(1))).unwrap_or(u32::MAX),
        }
    }

    /// What of a product is compared with other engines'.
    pub(crate) fn sample(&self, runtime: &Runtime) -> Result<Vec<f32>> {
        let text = format!("{} 1", self.name);
        Ok(runtime
            .block_on(self.model.embed_text(&[text]))?
            .output
            .values)
    }

    /// The milliseconds that one product takes.
    pub(crate) fn run(&self, runtime: &Runtime) -> Result<f64> {
        let time = |count: u32| {
            let text = format!("{} {count}", self.name);
            let began = Instant::now();
            runtime.block_on(self.model.embed_text(&[text]))?;
            anyhow::Ok(milliseconds(began.elapsed()))
        };
        let (without, with) = (time(0)?, time(self.count)?);
        ensure!(with > without, "no time was spent on products");
        Ok((with - without) / f64::from(self.count))
    }
}
