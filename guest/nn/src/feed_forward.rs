//! The feed-forward network of a transformer's layer (Vaswani et al., "Attention Is All You Need",
//! 2017), with GELU or another activation in its middle.

use ampoule_guest::Error;
#[cfg(feature = "host-kernels")]
use ampoule_guest::host_kernels::{self, Step};
use ampoule_kernels::{Activation, Scratch};

use crate::linear::Linear;
use crate::weights::Weights;

/// Working memory of a [`FeedForward`].
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

    /// Uses this activation in place of GELU.
    #[must_use]
    pub fn with_activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Applies the network to the rows `x` `[rows, hidden]`, into `y` of the same shape.
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

    /// Applies the network to the rows `x` `[rows, hidden]` and adds the result to `y` of the same shape: a residual
    /// connection.
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

    /// Applies the network to the rows `x` and adds the result to `x`; see [`add`](FeedForward::add).
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

    /// Returns the steps with which the host does [`apply`](FeedForward::apply), where it has both layers.
    #[cfg(feature = "host-kernels")]
    pub fn host_steps(&self) -> Option<[Step<'_>; 2]> {
        let up = self.up.host_step(self.activation)?;
        let down = self.down.host_step(Activation::Identity)?;
        Some([up, down])
    }

    /// Has the host apply both layers to the rows `x`, where it has them. One call does both, so that the middle,
    /// which is the widest, never comes into the sandbox.
    #[cfg(feature = "host-kernels")]
    fn by_host(&self, x: &[f32]) -> Option<Vec<f32>> {
        Some(host_kernels::apply(&self.host_steps()?, x))
    }
}
