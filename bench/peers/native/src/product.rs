//! A matrix product by the `gemm` crate, on one thread, with AVX2 and FMA.
//!
//! The crate uses AVX-512 only with its feature `x86-v4`, which is off here: vectors of 256 bits are the yardstick of
//! those of 128.

use std::time::Instant;

use bench_engine::{Ready, gemm_sample, matrix_value};
use gemm::Parallelism;

/// `y = x·wᵀ`.
pub(crate) struct Product {
    m: usize,
    k: usize,
    n: usize,
    x: Vec<f32>,
    weights: Vec<f32>,
    layout: Layout,
    y: Vec<f32>,
}

/// Layout of the weights.
#[derive(Clone, Copy)]
enum Layout {
    /// `[n, k]`.
    AsStored,
    /// `[k, n]`.
    Transposed,
}

/// Trials of each layout before the faster one is taken.
const TRIALS: usize = 20;

impl Product {
    /// Makes the product in the faster layout of the weights, and computes it.
    pub(crate) fn new(m: usize, k: usize, n: usize) -> (Self, Ready) {
        let best = |layout| {
            let mut product = Self::with(m, k, n, layout);
            let best = (0..TRIALS).map(|_| product.run()).min_by(f64::total_cmp);
            (best.unwrap_or(f64::INFINITY), product)
        };
        let (stored, transposed) = (best(Layout::AsStored), best(Layout::Transposed));
        let (_, product) = if stored.0 <= transposed.0 {
            stored
        } else {
            transposed
        };
        let ready = Ready {
            about: "gemm 0.19.0, AVX2 and FMA".to_owned(),
            output: gemm_sample(&product.y),
        };
        (product, ready)
    }

    fn with(m: usize, k: usize, n: usize, layout: Layout) -> Self {
        let weight = |index: usize| match layout {
            Layout::AsStored => matrix_value(index),
            Layout::Transposed => matrix_value(index % n * k + index / n),
        };
        Self {
            m,
            k,
            n,
            x: (0..m * k).map(matrix_value).collect(),
            weights: (0..k * n).map(weight).collect(),
            layout,
            y: vec![0.0; m * n],
        }
    }

    /// Computes the product once; returns the milliseconds.
    pub(crate) fn run(&mut self) -> f64 {
        let &mut Self { m, k, n, .. } = self;
        let (down, across) = match self.layout {
            Layout::AsStored => (1, k),
            Layout::Transposed => (n, 1),
        };
        let began = Instant::now();
        // SAFETY: `x` holds `m × k` elements, `weights` `k × n` and `y` `m × n`, as `with` has made
        // them, and the strides stay within: those of `x` and `y` are of row-major matrices, those of
        // `weights` of one that is `k` down and `n` across. `y` is exclusively borrowed.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                self.y.as_mut_ptr(),
                1,
                n as isize,
                false,
                self.x.as_ptr(),
                1,
                k as isize,
                self.weights.as_ptr(),
                across as isize,
                down as isize,
                0.0_f32,
                1.0_f32,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
        std::hint::black_box(&mut self.y);
        began.elapsed().as_secs_f64() * 1e3
    }
}
