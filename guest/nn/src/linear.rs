//! Linear layers.

use ampoule_guest::Error;
use ampoule_kernels::{Activation, Epilogue, MatrixMut, MatrixRef, PackedMatrix, Scratch, linear};

use crate::weights::Weights;

/// A linear layer: `y = x·wᵀ + b`.
pub struct Linear {
    weights: PackedMatrix,
    bias: Vec<f32>,
}

impl Linear {
    /// The layers `names` side by side: their outputs one after another, so that the rows are packed
    /// once for all of them. Each has `{name}.weight` `[outputs, inputs]` and `{name}.bias`
    /// `[outputs]`.
    ///
    /// # Errors
    ///
    /// Those of [`Weights::tensor`].
    pub fn load(
        source: &Weights<'_>,
        names: &[&str],
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self, Error> {
        let weights: Vec<String> = names.iter().map(|name| format!("{name}.weight")).collect();
        let mut bias = Vec::new();
        for name in names {
            bias.extend(source.tensor(&format!("{name}.bias"), &[outputs])?);
        }
        Ok(Linear {
            weights: source.packed(&weights, &[outputs, inputs])?,
            bias,
        })
    }

    /// Applies it to the rows `x` `[rows, inputs]`, into `y` `[rows, outputs]`.
    pub fn apply(&self, x: &[f32], y: &mut Vec<f32>, scratch: &mut Scratch) {
        self.activate(x, Activation::Identity, y, scratch);
    }

    /// Applies it to the rows `x` `[rows, inputs]`, and `activation` to what comes of that, into `y`
    /// `[rows, outputs]`.
    pub fn activate(
        &self,
        x: &[f32],
        activation: Activation,
        y: &mut Vec<f32>,
        scratch: &mut Scratch,
    ) {
        let rows = x.len() / self.weights.inputs();
        y.resize(rows * self.weights.outputs(), 0.0);
        self.product(x, Epilogue::Store(activation), y, scratch);
    }

    /// Applies it to the rows `x` `[rows, inputs]` and adds what comes of that to `y` `[rows, outputs]`:
    /// a residual connection.
    pub fn add(&self, x: &[f32], y: &mut [f32], scratch: &mut Scratch) {
        self.product(x, Epilogue::Add, y, scratch);
    }

    fn product(&self, x: &[f32], epilogue: Epilogue, y: &mut [f32], scratch: &mut Scratch) {
        let rows = x.len() / self.weights.inputs();
        linear(
            MatrixRef::new(x, rows, self.weights.inputs()),
            &self.weights,
            Some(&self.bias),
            epilogue,
            &mut MatrixMut::new(y, rows, self.weights.outputs()),
            scratch,
        );
    }
}
