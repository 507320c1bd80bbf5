//! The feed-forward network of a transformer's layer (Vaswani et al., "Attention Is All You Need",
//! 2017), with GELU in its middle.

use ampoule_guest::Error;
#[cfg(feature = "host-kernels")]
use ampoule_guest::host_kernels::{self, Activation};
use ampoule_kernels::{Scratch, gelu};

use crate::linear::Linear;
use crate::weights::Weights;

/// The memory that [`FeedForward::apply`] works in.
#[derive(Default)]
pub struct FeedForwardWorkspace {
    /// The middle, `[rows, intermediate]`.
    intermediate: Vec<f32>,
}

/// `down(gelu(up(x)))`.
pub struct FeedForward {
    up: Linear,
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
            down: Linear::load(source, &[down], [hidden, intermediate])?,
        })
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
        if let (Some(up), Some(down)) = (self.up.on_host(), self.down.on_host()) {
            // One call: the middle, which is the widest, never comes into the sandbox.
            let steps = [up.then(Activation::Gelu), down.then(Activation::None)];
            *y = host_kernels::linear(&steps, x);
            return;
        }
        let middle = &mut workspace.intermediate;
        self.up.apply(x, middle, scratch);
        gelu(middle);
        self.down.apply(middle, y, scratch);
    }
}
