//! Multi-head attention (Vaswani et al., "Attention Is All You Need", 2017): of every row to every
//! row, as in an encoder, or to the rows before it, as in a decoder.

use ampoule_guest::Error;
#[cfg(feature = "host-kernels")]
use ampoule_guest::host_kernels::{self, Step};
#[cfg(feature = "host-kernels")]
use ampoule_kernels::Activation;
use ampoule_kernels::{
    AttentionInputs, AttentionScratch, MatrixMut, MatrixRef, Scratch, Visibility, attention,
};

use crate::linear::Linear;
use crate::weights::Weights;

/// Working memory of attention, for reuse by the next layer.
#[derive(Default)]
pub struct AttentionWorkspace {
    /// Queries, keys and values, `[rows, 3 · hidden]`.
    queries_keys_values: Vec<f32>,
    /// Rows that the heads gathered, `[rows, hidden]`: the answer of [`Attention::gather`] and
    /// [`Attention::gather_causally`].
    pub context: Vec<f32>,
    heads: AttentionScratch,
}

/// Keys and values of the tokens so far, in one layer: each next token costs its own row alone.
#[derive(Debug, Default)]
pub struct KeyValueCache {
    /// `[tokens, hidden]`.
    keys: Vec<f32>,
    /// `[tokens, hidden]`.
    values: Vec<f32>,
}

/// Queries, keys and values, and the heads. The output layer, back into the residual stream, is the caller's, which
/// may take blocks of rows through it.
pub struct Attention {
    hidden: usize,
    heads: usize,
    queries_keys_values: Linear,
}

impl Attention {
    /// Reads queries, keys and values, of `hidden` outputs each: from three layers, or from one that
    /// has them one after another. `heads` share `hidden` evenly.
    ///
    /// # Errors
    ///
    /// Those of [`Weights::tensor`].
    pub fn load(
        source: &Weights<'_>,
        names: &[&str],
        hidden: usize,
        heads: usize,
    ) -> Result<Self, Error> {
        let outputs = 3 * hidden / names.len().max(1);
        Ok(Attention {
            hidden,
            heads,
            queries_keys_values: Linear::load(source, names, [outputs, hidden])?,
        })
    }

    /// Lets each of the rows `x` `[rows, hidden]` gather from all of them, into `workspace.context`.
    pub fn gather(&self, x: &[f32], workspace: &mut AttentionWorkspace, scratch: &mut Scratch) {
        let AttentionWorkspace {
            queries_keys_values,
            context,
            heads,
        } = workspace;
        // In one call, so that queries, keys and values never come into the sandbox.
        #[cfg(feature = "host-kernels")]
        if let Some(steps) = self.host_steps() {
            *context = host_kernels::apply(&steps, x);
            return;
        }
        self.queries_keys_values
            .apply(x, queries_keys_values, scratch);
        let hidden = self.hidden;
        let rows = x.len() / hidden;
        let all = MatrixRef::new(queries_keys_values, rows, 3 * hidden);
        let inputs = AttentionInputs {
            queries: all.part(0..rows, 0..hidden),
            keys: all.part(0..rows, hidden..2 * hidden),
            values: all.part(0..rows, 2 * hidden..3 * hidden),
        };
        context.resize(x.len(), 0.0);
        attention(
            inputs,
            self.heads,
            Visibility::All,
            &mut MatrixMut::new(context, rows, hidden),
            heads,
        );
    }

    /// Returns the steps with which the host does [`gather`](Attention::gather), where it has the layer.
    #[cfg(feature = "host-kernels")]
    pub fn host_steps(&self) -> Option<[Step<'_>; 2]> {
        let layer = self.queries_keys_values.host_step(Activation::Identity)?;
        Some([layer, Step::attention(self.heads)])
    }

    /// Adds the keys and values of the rows `x` `[rows, hidden]` to the cache, without queries: the rows are seen, and
    /// gather nothing.
    pub fn remember(
        &self,
        x: &[f32],
        cache: &mut KeyValueCache,
        workspace: &mut AttentionWorkspace,
        scratch: &mut Scratch,
    ) {
        let rows = &mut workspace.queries_keys_values;
        self.queries_keys_values.apply(x, rows, scratch);
        for row in rows.chunks_exact(3 * self.hidden) {
            cache
                .keys
                .extend_from_slice(&row[self.hidden..2 * self.hidden]);
            cache.values.extend_from_slice(&row[2 * self.hidden..]);
        }
    }

    /// Lets each of the new rows `x` `[rows, hidden]` gather from the rows of the cache and from the new rows up to
    /// itself, into `workspace.context`. The new rows are added to the cache.
    pub fn gather_causally(
        &self,
        x: &[f32],
        cache: &mut KeyValueCache,
        workspace: &mut AttentionWorkspace,
        scratch: &mut Scratch,
    ) {
        self.remember(x, cache, workspace, scratch);
        let AttentionWorkspace {
            queries_keys_values,
            context,
            heads,
        } = workspace;
        let hidden = self.hidden;
        let (rows, tokens) = (x.len() / hidden, cache.keys.len() / hidden);
        let inputs = AttentionInputs {
            queries: MatrixRef::with_stride(queries_keys_values, rows, hidden, 3 * hidden),
            keys: MatrixRef::new(&cache.keys, tokens, hidden),
            values: MatrixRef::new(&cache.values, tokens, hidden),
        };
        context.resize(x.len(), 0.0);
        attention(
            inputs,
            self.heads,
            Visibility::Causal,
            &mut MatrixMut::new(context, rows, hidden),
            heads,
        );
    }
}
