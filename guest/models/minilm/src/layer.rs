//! One layer of the encoder: attention, then a feed-forward network, each followed by a residual
//! connection and a layer normalisation (Vaswani et al., "Attention Is All You Need", 2017; Devlin
//! et al., "BERT", 2018).

use ampoule_guest::Error;
use ampoule_kernels::{
    MatrixMut, MatrixRef, PackedMatrix, Scratch, add, gelu, layer_norm, linear, softmax,
};

use crate::config::Config;
use crate::weights::Weights;

/// Rows that go through a step at once where rows do not depend on one another: so a request's
/// memory is bounded by this and not by the square of its length, and what one step writes is
/// still in the cache for the next.
const BLOCK_ROWS: usize = 128;

/// A linear layer: `y = x·wᵀ + b`.
struct Linear {
    weights: PackedMatrix,
    bias: Vec<f32>,
}

impl Linear {
    /// The layers `names` side by side: their outputs one after another.
    fn load(
        source: &Weights<'_>,
        names: &[&str],
        [outputs, inputs]: [usize; 2],
    ) -> Result<Self, Error> {
        let weights: Vec<String> = names.iter().map(|name| format!("{name}.weight")).collect();
        let mut bias = Vec::with_capacity(names.len() * outputs);
        for name in names {
            bias.extend(source.tensor(&format!("{name}.bias"), &[outputs])?);
        }
        Ok(Linear {
            weights: source.packed(&weights, [outputs, inputs])?,
            bias,
        })
    }

    /// Applies it to the rows `x` `[rows, inputs]`, into `y` `[rows, outputs]`.
    fn apply(&self, x: &[f32], y: &mut Vec<f32>, scratch: &mut Scratch) {
        let rows = x.len() / self.weights.inputs();
        y.resize(rows * self.weights.outputs(), 0.0);
        linear(
            MatrixRef::new(x, rows, self.weights.inputs()),
            &self.weights,
            Some(&self.bias),
            &mut MatrixMut::new(y, rows, self.weights.outputs()),
            scratch,
        );
    }
}

/// A layer normalisation.
pub(crate) struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    pub(crate) fn load(source: &Weights<'_>, name: &str, config: &Config) -> Result<Self, Error> {
        let shape = [config.hidden_size];
        Ok(LayerNorm {
            weight: source.tensor(&format!("{name}.weight"), &shape)?,
            bias: source.tensor(&format!("{name}.bias"), &shape)?,
            epsilon: config.layer_norm_eps,
        })
    }

    pub(crate) fn apply(&self, rows: &mut [f32]) {
        layer_norm(rows, &self.weight, &self.bias, self.epsilon);
    }
}

/// The memory that a layer works in, to be used again by the next.
#[derive(Default)]
pub(crate) struct LayerWorkspace {
    scratch: Scratch,
    /// Queries, keys and values, `[tokens, 3 · hidden]`.
    queries_keys_values: Vec<f32>,
    /// What the heads found, `[tokens, hidden]`.
    context: Vec<f32>,
    /// One head's keys, packed as weights `[tokens, head]`.
    keys: PackedMatrix,
    /// One head's values, packed as weights `[head, tokens]`.
    values: PackedMatrix,
    /// One head's scores for a block of queries, `[block, tokens]`.
    scores: Vec<f32>,
    /// A block of the feed-forward network's middle, `[block, intermediate]`.
    intermediate: Vec<f32>,
    /// A block of what is added to the residual, `[block, hidden]`.
    update: Vec<f32>,
}

/// One layer.
pub(crate) struct Layer {
    heads: usize,
    hidden: usize,
    queries_keys_values: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
}

impl Layer {
    /// Reads layer `index`.
    pub(crate) fn load(source: &Weights<'_>, index: usize, config: &Config) -> Result<Self, Error> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let name = |rest: &str| format!("encoder.layer.{index}.{rest}");
        let part = |rest: &str, shape| Linear::load(source, &[&name(rest)], shape);
        Ok(Layer {
            heads: config.num_attention_heads,
            hidden,
            // Side by side, so that the rows are packed once for the three.
            queries_keys_values: Linear::load(
                source,
                &[
                    &name("attention.self.query"),
                    &name("attention.self.key"),
                    &name("attention.self.value"),
                ],
                [hidden, hidden],
            )?,
            attention_output: part("attention.output.dense", [hidden, hidden])?,
            attention_norm: LayerNorm::load(source, &name("attention.output.LayerNorm"), config)?,
            intermediate: part("intermediate.dense", [intermediate, hidden])?,
            output: part("output.dense", [hidden, intermediate])?,
            output_norm: LayerNorm::load(source, &name("output.LayerNorm"), config)?,
        })
    }

    /// Replaces the rows `x` `[tokens, hidden]` by what the layer makes of them.
    pub(crate) fn apply(&self, x: &mut [f32], workspace: &mut LayerWorkspace) {
        self.attend(x, workspace);
        let LayerWorkspace {
            scratch,
            context,
            intermediate,
            update,
            ..
        } = workspace;
        let block = BLOCK_ROWS * self.hidden;
        for (x, context) in x.chunks_mut(block).zip(context.chunks(block)) {
            self.attention_output.apply(context, update, scratch);
            add(x, update);
            self.attention_norm.apply(x);

            self.intermediate.apply(x, intermediate, scratch);
            gelu(intermediate);
            self.output.apply(intermediate, update, scratch);
            add(x, update);
            self.output_norm.apply(x);
        }
    }

    /// Leaves in `workspace.context` what each token's heads gather from all tokens.
    fn attend(&self, x: &[f32], workspace: &mut LayerWorkspace) {
        let LayerWorkspace {
            scratch,
            queries_keys_values,
            context,
            keys,
            values,
            scores,
            ..
        } = workspace;
        let (hidden, tokens) = (self.hidden, x.len() / self.hidden);
        let width = hidden / self.heads;
        let scale = 1.0 / (width as f32).sqrt();
        self.queries_keys_values
            .apply(x, queries_keys_values, scratch);
        context.resize(x.len(), 0.0);
        for head in 0..self.heads {
            let column = head * width;
            // This head's columns of the queries (0), the keys (1) or the values (2).
            let part = |part: usize, first: usize, rows: usize| {
                let from = first * 3 * hidden + part * hidden + column;
                MatrixRef::with_stride(&queries_keys_values[from..], rows, width, 3 * hidden)
            };
            keys.pack(part(1, 0, tokens));
            values.pack_transposed(part(2, 0, tokens));
            for first in (0..tokens).step_by(BLOCK_ROWS) {
                let rows = BLOCK_ROWS.min(tokens - first);
                scores.resize(rows * tokens, 0.0);
                let mut scores_of_block = MatrixMut::new(scores, rows, tokens);
                linear(
                    part(0, first, rows),
                    keys,
                    None,
                    &mut scores_of_block,
                    scratch,
                );
                softmax(&mut scores_of_block, scale);
                linear(
                    MatrixRef::new(scores, rows, tokens),
                    values,
                    None,
                    &mut MatrixMut::with_stride(
                        &mut context[first * hidden + column..],
                        rows,
                        width,
                        hidden,
                    ),
                    scratch,
                );
            }
        }
    }
}
