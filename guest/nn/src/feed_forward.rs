//! The feed-forward network of a transformer's layer (Vaswani et al., "Attention Is All You Need",
//! 2017), with GELU or another activation in its middle.

use ampoule_guest::Error;
#[cfg(feature = "host-kernels")]
use ampoule_guest::host_kernels::{self, Step};
use ampoule_kernels::{Activation, Scratch};

use crate::linear::Linear;
use crate::weights::Weights;

/// The memory that a [`FeedForward`] works in.
#[derive(Default)]
pub struct FeedForwardWorkspace {
    /// The middle, `[rows, intermediate]`.
    intermediate: Vec<f32>,
}

/// `down(gelu(up(x)))`, or with another activation.
pub struct FeedForward {
    up: Linear,
    activation: Activation,
    down: Linear,
}

impl FeedForward {
    /// Reads the layer `up` from `hidden` to `intermediate` and the layer `down` back.
    ///
    /// # Errors
    ///
    /// Those of [`Weights::tensor`].
    pub fn load(
        source: &Weights<'_>,
        [up, down]: [&str; 2],
        hidden: usize,
        intermediate: usize,
    ) -> Result<Self, Error> {
        Ok(FeedForward {
            up: Linear::load(source, &[up], [intermediate, hidden])?,
            activation: Activation::Gelu,
            down: Linear::load(source, &[down], [hidden, intermediate])?,
        })
    }

    /// Takes this activation in place of GELU.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Applies it to the rows `x` `[rows, hidden]`, into `y` of the same shape.
    pub fn apply(
        &self,
        x: &[f32],
        y: &mut Vec<f32>,
        workspace: &mut FeedForwardWorkspace,
        scratch: &mut Scratch,
    ) {
        #[cfg(feature = "host-kernels")]
        if let Some(all) = self.by_host(x) {
            *y = all;
            return;
        }
        let middle = &mut workspace.intermediate;
        self.up.activate(x, self.activation, middle, scratch);
        self.down.apply(middle, y, scratch);
    }

    /// Applies it to the rows `x` `[rows, hidden]` and adds what comes of that to `y` of the same shape: a
    /// residual connection.
    pub fn add(
        &self,
        x: &[f32],
        y: &mut [f32],
        workspace: &mut FeedForwardWorkspace,
        scratch: &mut Scratch,
    ) {
        #[cfg(feature = "host-kernels")]
        if let Some(update) = self.by_host(x) {
            ampoule_kernels::add(y, &update);
            return;
        }
        let middle = &mut workspace.intermediate;
        self.up.activate(x, self.activation, middle, scratch);
        self.down.add(middle, y, scratch);
    }

    /// As [`add`](FeedForward::add), to the rows themselves.
    pub fn add_to_itself(
        &self,
        x: &mut [f32],
        workspace: &mut FeedForwardWorkspace,
        scratch: &mut Scratch,
    ) {
        #[cfg(feature = "host-kernels")]
        if let Some(update) = self.by_host(x) {
            ampoule_kernels::add(x, &update);
            return;
        }
        let middle = &mut workspace.intermediate;
        self.up.activate(x, self.activation, middle, scratch);
        self.down.add(middle, x, scratch);
    }

    /// What [`apply`](FeedForward::apply) does, as steps of the host, where that has both layers.
    #[cfg(feature = "host-kernels")]
    pub fn host_steps(&self) -> Option<[Step<'_>; 2]> {
        let up = self.up.host_step(self.activation)?;
        let down = self.down.host_step(Activation::Identity)?;
        Some([up, down])
    }

    /// What comes of the rows `x`, where the host has both layers: in one call, so that the middle, which
    /// is the widest, never comes into the sandbox.
    #[cfg(feature = "host-kernels")]
    fn by_host(&self, x: &[f32]) -> Option<Vec<f32>> {
        Some(host_kernels::apply(&self.host_steps()?, x))
    }
}
