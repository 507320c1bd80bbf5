//! Layer normalisation (Ba et al., 2016).

use rten_simd::SimdOp as _;
use rten_vecmath::{Normalize, NormalizeOptions, Sum, SumSquareSub};

/// Layer normalisation with its parameters: brings a row to mean 0 and variance 1, then scales and shifts each number.
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
    /// Cost of one number, in multiply-adds.
    pub(crate) const MULTIPLICATIONS: u64 = 4;

    /// Returns the normalisation of rows as long as both; `None` when their lengths differ or are 0.
    pub(crate) fn new(weight: &'a [f32], bias: &'a [f32], epsilon: f32) -> Option<Self> {
        (!weight.is_empty() && weight.len() == bias.len()).then_some(Self {
            weight,
            bias,
            epsilon,
        })
    }

    /// Returns the length of a row.
    pub(crate) fn length(self) -> usize {
        self.weight.len()
    }

    /// Normalises each row in place.
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
