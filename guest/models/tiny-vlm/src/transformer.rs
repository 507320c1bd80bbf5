//! One transformer layer of the encoder and the decoder: each half normalises its input and adds its output to the
//! rows (pre-norm: Xiong et al., "On Layer Normalization in the Transformer
//! Architecture", 2020).

use ampoule_guest::Error;
use ampoule_kernels::Scratch;
use ampoule_nn::{
    Attention, AttentionWorkspace, FeedForward, FeedForwardWorkspace, KeyValueCache, LayerNorm,
    Linear, Weights,
};

use crate::config::Config;

/// Working memory of a layer, for reuse by the next.
#[derive(Default)]
pub(crate) struct LayerWorkspace {
    pub(crate) scratch: Scratch,
    attention: AttentionWorkspace,
    pub(crate) feed_forward: FeedForwardWorkspace,
    /// The rows, normalised, `[rows, hidden]`.
    normal: Vec<f32>,
}

/// One layer.
pub(crate) struct Layer {
    attention_norm: LayerNorm,
    attention: Attention,
    attention_output: Linear,
    feed_forward_norm: LayerNorm,
    feed_forward: FeedForward,
}

/// The rows that a row sees.
pub(crate) enum Sight<'a> {
    /// All rows.
    All,
    /// The rows of the cache, and the new rows up to itself.
    Causal(&'a mut KeyValueCache),
}

impl Layer {
    /// Reads the layer whose tensors' names begin with `name`.
    ///
    /// # Errors
    ///
    /// `model.weights`; `asset.*`.
    pub(crate) fn load(source: &Weights<'_>, name: &str, config: &Config) -> Result<Self, Error> {
        let hidden = config.hidden_size;
        let name = |rest: &str| format!("{name}.{rest}");
        let norm = |rest: &str| LayerNorm::load(source, &name(rest), hidden, config.layer_norm_eps);
        Ok(Layer {
            attention_norm: norm("norm1")?,
            attention: Attention::load(
                source,
                &[&name("attention.qkv")],
                hidden,
                config.num_attention_heads,
            )?,
            attention_output: Linear::load(source, &[&name("attention.output")], [hidden, hidden])?,
            feed_forward_norm: norm("norm2")?,
            feed_forward: FeedForward::load(
                source,
                [&name("mlp.up"), &name("mlp.down")],
                hidden,
                config.intermediate_size,
            )?,
        })
    }

    /// Adds the rows `x` `[rows, hidden]` to the cache, so that later rows see them. `x` stays as it is.
    pub(crate) fn show(
        &self,
        x: &[f32],
        cache: &mut KeyValueCache,
        workspace: &mut LayerWorkspace,
    ) {
        let LayerWorkspace {
            scratch,
            attention,
            normal,
            ..
        } = workspace;
        replace(normal, x);
        self.attention_norm.apply(normal);
        self.attention.remember(normal, cache, attention, scratch);
    }

    /// Applies the layer to the rows `x` `[rows, hidden]`, in place.
    pub(crate) fn apply(&self, x: &mut [f32], sight: Sight<'_>, workspace: &mut LayerWorkspace) {
        let LayerWorkspace {
            scratch,
            attention,
            feed_forward,
            normal,
        } = workspace;
        replace(normal, x);
        self.attention_norm.apply(normal);
        match sight {
            Sight::All => self.attention.gather(normal, attention, scratch),
            Sight::Causal(cache) => {
                self.attention
                    .gather_causally(normal, cache, attention, scratch);
            }
        }
        self.attention_output.add(&attention.context, x, scratch);

        replace(normal, x);
        self.feed_forward_norm.apply(normal);
        self.feed_forward.add(normal, x, feed_forward, scratch);
    }
}

/// Makes `to` a copy of `from`.
fn replace(to: &mut Vec<f32>, from: &[f32]) {
    to.clear();
    to.extend_from_slice(from);
}
