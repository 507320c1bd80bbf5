//! Matrix products in a guest. Its clock is coarse, so the time of one product is taken from outside: the difference
//! of a request for many and a request for none.

use std::time::Instant;

use ampoule::Model;
use anyhow::{Result, ensure};
use bench_engine::{Gemm, Rotation};
use tokio::runtime::Runtime;

use crate::milliseconds;

/// A guest that multiplies, and the request.
pub(crate) struct Products {
    model: Model,
    /// The product in the guest's words.
    name: String,
    /// Products in a request.
    count: u32,
}

/// Rough number of multiplications and additions of one request: 20 ms and more, beside which the difference of two
/// sandboxes is small.
const WORK: usize = 1_000_000_000;

impl Products {
    /// Multiplies matrices in f32.
    pub(crate) fn new(model: Model, &Gemm { m, k, n, .. }: &Gemm) -> Self {
        Self::of(model, format!("{m}x{k}x{n}"), 2 * m * k * n)
    }

    /// Multiplies a row with matrices of four bits.
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

    /// Returns the part of a product that is compared with other engines'.
    pub(crate) fn sample(&self, runtime: &Runtime) -> Result<Vec<f32>> {
        let text = format!("{} 1", self.name);
        Ok(runtime
            .block_on(self.model.embed_text(&[text]))?
            .output
            .values)
    }

    /// Returns the milliseconds of one product.
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
