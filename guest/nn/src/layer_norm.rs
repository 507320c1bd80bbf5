//! Layer normalisation with the weights of a file.

use ampoule_guest::Error;
#[cfg(feature = "host-kernels")]
use ampoule_guest::host_kernels::Step;
use ampoule_kernels::layer_norm;

use crate::weights::Weights;

/// A layer normalisation.
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    /// Reads `{name}.weight` and `{name}.bias`, both `[width]`. Files of TensorFlow's making call them
    /// `{name}.gamma` and `{name}.beta`.
    ///
    /// # Errors
    ///
    /// Those of [`Weights::tensor`].
    pub fn load(
        source: &Weights<'_>,
        name: &str,
        width: usize,
        epsilon: f32,
    ) -> Result<Self, Error> {
        let tensor = |part: &str, old: &str| {
            let name = source.name_of(format!("{name}.{part}"), format!("{name}.{old}"))?;
            source.tensor(&name, &[width])
        };
        Ok(LayerNorm {
            weight: tensor("weight", "gamma")?,
            bias: tensor("bias", "beta")?,
            epsilon,
        })
    }

    /// Replaces each of the rows `[rows, width]` by its normalisation.
    pub fn apply(&self, rows: &mut [f32]) {
        layer_norm(rows, &self.weight, &self.bias, self.epsilon);
    }

    /// Returns the normalisation as a step of the host.
    #[cfg(feature = "host-kernels")]
    pub fn host_step(&self) -> Step<'_> {
        Step::normalize(&self.weight, &self.bias, self.epsilon)
    }
}
