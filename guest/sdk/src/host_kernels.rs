//! Layers that the host computes, where it grants that (the interface `host-kernels` in `wit/`).
//!
//! A model asks [`granted`] while it loads, and then either packs its layers here or keeps their weights
//! itself. On other targets than `wasm32` nothing is granted.

pub use crate::bindings::host_kernels_user::ampoule::model::host_kernels::{
    Activation, ElementType, Format, Layer, Part, Tensor,
};

use crate::Error;
use crate::bindings::host_kernels_user::ampoule::model::host_kernels;

/// Whether the host computes for this model.
#[must_use]
pub fn granted() -> bool {
    cfg!(target_arch = "wasm32") && host_kernels::granted()
}

/// A linear layer that the host keeps.
#[derive(Debug)]
pub struct HostLayer {
    number: u32,
    inputs: usize,
    outputs: usize,
}

impl HostLayer {
    /// Has the host keep a layer. Works only in [`Model::load`](crate::Model::load).
    ///
    /// # Errors
    ///
    /// `kernels.not-granted`, `kernels.layer`, `asset.*`.
    pub fn pack(layer: &Layer) -> Result<Self, Error> {
        Ok(HostLayer {
            number: host_kernels::pack(layer)?,
            inputs: layer.inputs as usize,
            outputs: layer.parts.iter().map(|part| part.outputs as usize).sum(),
        })
    }

    /// The length of a row that goes in.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The length of a row that comes out.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// This layer, and what is done to its outputs, as a step of [`apply`].
    #[must_use]
    pub fn then(&self, activation: Activation) -> Step<'_> {
        Step(Kind::Linear(self, activation))
    }
}

/// One thing that is done to all rows: made by [`HostLayer::then`] and [`Step::attention`].
#[derive(Debug, Clone, Copy)]
pub struct Step<'a>(Kind<'a>);

#[derive(Debug, Clone, Copy)]
enum Kind<'a> {
    Linear(&'a HostLayer, Activation),
    Attention(u32),
}

impl Step<'_> {
    /// Attention of so many heads, of all rows to all rows: of rows `[3 · heads · width]`, queries, keys and
    /// values, it makes rows `[heads · width]`. It follows a layer.
    #[must_use]
    pub fn attention(heads: usize) -> Self {
        // More than fit are refused as too many.
        Step(Kind::Attention(u32::try_from(heads).unwrap_or(u32::MAX)))
    }
}

/// The rows `x` `[rows, inputs]` through one step after another: `[rows, outputs]` of the last.
///
/// # Panics
///
/// When there is no step, `x` is not a whole number of rows, a layer has other inputs than the one
/// before it has outputs, or heads cannot share their rows evenly.
#[must_use]
pub fn apply(steps: &[Step<'_>], x: &[f32]) -> Vec<f32> {
    let steps: Vec<_> = steps
        .iter()
        .map(|step| match step.0 {
            Kind::Linear(layer, activation) => {
                let layer = layer.number;
                host_kernels::Step::Linear(host_kernels::LinearStep { layer, activation })
            }
            Kind::Attention(heads) => host_kernels::Step::Attention(heads),
        })
        .collect();
    match host_kernels::apply(&steps, x) {
        Ok(y) => y,
        Err(error) => refused(&error),
    }
}

#[expect(
    clippy::panic,
    reason = "what the host refuses of layers that it has packed is a bug of the caller, as an index out of range is"
)]
fn refused(error: &Error) -> ! {
    panic!("{}: {}", error.code, error.message);
}
