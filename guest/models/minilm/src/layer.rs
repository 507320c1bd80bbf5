//! One layer of the encoder: attention, then a feed-forward network, each followed by a residual
//! connection and a layer normalisation (Vaswani et al., "Attention Is All You Need", 2017; Devlin
//! et al., "BERT", 2018).

use ampoule_guest::Error;
use ampoule_guest::host_kernels::Step;
use ampoule_kernels::{Activation, Scratch};
use ampoule_nn::{
    Attention, AttentionWorkspace, BLOCK_ROWS, FeedForward, FeedForwardWorkspace, LayerNorm,
    Linear, Weights,
};

use crate::config::Config;

/// Working memory of a layer, for reuse by the next.
#[derive(Default)]
pub(crate) struct LayerWorkspace {
    scratch: Scratch,
    attention: AttentionWorkspace,
    feed_forward: FeedForwardWorkspace,
}

/// One layer.
pub(crate) struct Layer {
    hidden: usize,
    attention: Attention,
    attention_output: Linear,
    attention_norm: LayerNorm,
    feed_forward: FeedForward,
    output_norm: LayerNorm,
}

impl Layer {
    /// Reads layer `index`.
    pub(crate) fn load(source: &Weights<'_>, index: usize, config: &Config) -> Result<Self, Error> {
        let hidden = config.hidden_size;
        let name = |rest: &str| format!("encoder.layer.{index}.{rest}");
        let norm = |rest: &str| LayerNorm::load(source, &name(rest), hidden, config.layer_norm_eps);
        Ok(Layer {
            hidden,
            attention: Attention::load(
                source,
                &[
                    &name("attention.self.query"),
                    &name("attention.self.key"),
                    &name("attention.self.value"),
                ],
                hidden,
                config.num_attention_heads,
            )?,
            attention_output: Linear::load(
                source,
                &[&name("attention.output.dense")],
                [hidden, hidden],
            )?,
            attention_norm: norm("attention.output.LayerNorm")?,
            feed_forward: FeedForward::load(
                source,
                [&name("intermediate.dense"), &name("output.dense")],
                hidden,
                config.intermediate_size,
            )?
            .with_activation(config.activation),
            output_norm: norm("output.LayerNorm")?,
        })
    }

    /// Returns the layer as steps of the host, where the host keeps its weights; see [`apply`](Layer::apply).
    pub(crate) fn host_steps(&self) -> Option<Vec<Step<'_>>> {
        let mut steps = vec![Step::KEEP];
        steps.extend(self.attention.host_steps()?);
        steps.push(self.attention_output.host_step(Activation::Identity)?);
        steps.extend([Step::ADD_KEPT, self.attention_norm.host_step(), Step::KEEP]);
        steps.extend(self.feed_forward.host_steps()?);
        steps.extend([Step::ADD_KEPT, self.output_norm.host_step()]);
        Some(steps)
    }

    /// Applies the layer to the rows `x` `[tokens, hidden]`, in place.
    pub(crate) fn apply(&self, x: &mut [f32], workspace: &mut LayerWorkspace) {
        let LayerWorkspace {
            scratch,
            attention,
            feed_forward,
        } = workspace;
        self.attention.gather(x, attention, scratch);
        let block = BLOCK_ROWS * self.hidden;
        for (x, context) in x.chunks_mut(block).zip(attention.context.chunks(block)) {
            self.attention_output.add(context, x, scratch);
            self.attention_norm.apply(x);

            self.feed_forward.add_to_itself(x, feed_forward, scratch);
            self.output_norm.apply(x);
        }
    }
}
