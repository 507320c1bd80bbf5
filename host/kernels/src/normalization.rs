//! Layer normalisation (Ba et al., 2016).

use rten_simd::SimdOp as _;
use rten_vecmath::{Normalize, NormalizeOptions, Sum, SumSquareSub};

/// Each row is brought to mean 0 and variance 1, then multiplied and shifted number by number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Normalization<'a> {
    /// `[length]`.
    weight: &'a [f32],
    /// `[length]`.
    bias: &'a [f32],
    /// Added to the variance.
    epsilon: f32,
}

impl<'a> Normalization<'a> {
    /// What it costs a number, in multiplications with an addition.
    pub(crate) const MULTIPLICATIONS: u64 = 4;

    /// Of rows as long as both, if they are of one length, which is not 0.
    pub(crate) fn new(weight: &'a [f32], bias: &'a [f32], epsilon: f32) -> Option<Self> {
        (!weight.is_empty() && weight.len() == bias.len()).then_some(Self {
            weight,
            bias,
            epsilon,
        })
    }

    /// The length of a row.
    pub(crate) fn length(self) -> usize {
        self.weight.len()
    }

    /// Replaces each row.
    pub(crate) fn apply(self, rows: &mut [f32]) {
        let length = self.length();
        for row in rows.chunks_exact_mut(length) {
            let mean = Sum::new(row).dispatch() / length as f32;
            let variance = SumSquareSub::new(row, mean).dispatch() / length as f32;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: 1.0 / (variance + self.epsilon).sqrt(),
                element_scale: Some(self.weight),
                bias: 0.0,
                element_bias: Some(self.bias),
            };
            Normalize::new_mut(row, options).dispatch();
        }
    }
}
