//! Multi-head attention (Vaswani et al., "Attention Is All You Need", 2017): of every row to every
//! row, as in an encoder, or to the rows before it, as in a decoder.

use ampoule_guest::Error;
use ampoule_kernels::{
    MatrixMut, MatrixRef, PackedMatrix, Scratch, add_scaled, dot, linear, softmax,
};

use crate::BLOCK_ROWS;
use crate::linear::Linear;
use crate::weights::Weights;

/// The memory that attention works in, to be used again by the next layer.
#[derive(Default)]
pub struct AttentionWorkspace {
    /// Queries, keys and values, `[rows, 3 · hidden]`.
    queries_keys_values: Vec<f32>,
    /// What the heads gathered, `[rows, hidden]`: the answer of [`Attention::gather`] and
    /// [`Attention::gather_causally`].
    pub context: Vec<f32>,
    /// One head's keys, packed as weights `[tokens, head]`.
    keys: PackedMatrix,
    /// One head's values, packed as weights `[head, tokens]`.
    values: PackedMatrix,
    /// One head's scores for a block of queries, `[block, tokens]`.
    scores: Vec<f32>,
}

/// The keys and values of the tokens so far, in one layer, so that each next token costs only its
/// own row.
#[derive(Debug, Default)]
pub struct KeyValueCache {
    /// `[tokens, hidden]`.
    keys: Vec<f32>,
    /// `[tokens, hidden]`.
    values: Vec<f32>,
}

/// Queries, keys and values, and the heads. The layer that takes the heads' findings back into the
/// residual stream is the caller's, which may take blocks of rows through it.
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

    /// Leaves in `workspace.context` what each of the rows `x` `[rows, hidden]` gathers from all of
    /// them.
    pub fn gather(&self, x: &[f32], workspace: &mut AttentionWorkspace, scratch: &mut Scratch) {
        let AttentionWorkspace {
            queries_keys_values,
            context,
            keys,
            values,
            scores,
        } = workspace;
        self.queries_keys_values
            .apply(x, queries_keys_values, scratch);
        let (hidden, stride) = (self.hidden, 3 * self.hidden);
        let rows = x.len() / hidden;
        let all = &queries_keys_values[..];
        let heads = HeadInputs {
            queries: Rows::new(all, 0, stride),
            keys: Rows::new(all, hidden, stride),
            values: Rows::new(all, 2 * hidden, stride),
        };
        context.resize(x.len(), 0.0);
        self.gather_blocks(
            &heads,
            [rows, rows],
            |_| rows,
            (keys, values, scores, scratch),
            context,
        );
    }

    /// Adds the rows `x` `[rows, hidden]` to the cache: they are seen, and see nothing themselves.
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

    /// Leaves in `workspace.context` what each of the new rows `x` `[rows, hidden]` gathers from the
    /// rows of the cache and from the new rows up to itself. The new rows are added to the cache.
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
            keys,
            values,
            scores,
        } = workspace;
        let (hidden, stride) = (self.hidden, 3 * self.hidden);
        let (rows, tokens) = (x.len() / hidden, cache.keys.len() / hidden);
        let before = tokens - rows;
        context.resize(x.len(), 0.0);
        let heads = HeadInputs {
            queries: Rows::new(queries_keys_values, 0, stride),
            keys: Rows::new(&cache.keys, 0, hidden),
            values: Rows::new(&cache.values, 0, hidden),
        };
        if rows == 1 {
            // Packing all keys and values for one row would cost more than the products.
            self.gather_one(&heads, tokens, scores, context);
        } else {
            self.gather_blocks(
                &heads,
                [rows, tokens],
                |row| before + row + 1,
                (keys, values, scores, scratch),
                context,
            );
        }
    }

    /// All heads of `rows` queries over `tokens` keys, of which the query in row `i` sees the first
    /// `visible(i)`.
    fn gather_blocks(
        &self,
        inputs: &HeadInputs<'_>,
        [rows, tokens]: [usize; 2],
        visible: impl Fn(usize) -> usize,
        (keys, values, scores, scratch): (
            &mut PackedMatrix,
            &mut PackedMatrix,
            &mut Vec<f32>,
            &mut Scratch,
        ),
        context: &mut [f32],
    ) {
        let width = self.hidden / self.heads;
        for column in (0..self.hidden).step_by(width) {
            keys.pack(inputs.keys.part(0, tokens, column, width));
            values.pack_transposed(inputs.values.part(0, tokens, column, width));
            for first in (0..rows).step_by(BLOCK_ROWS) {
                let count = BLOCK_ROWS.min(rows - first);
                scores.resize(count * tokens, 0.0);
                linear(
                    inputs.queries.part(first, count, column, width),
                    keys,
                    None,
                    &mut MatrixMut::new(scores, count, tokens),
                    scratch,
                );
                for (row, scores) in scores.chunks_exact_mut(tokens).enumerate() {
                    let (seen, unseen) = scores.split_at_mut(visible(first + row));
                    let seen_tokens = seen.len();
                    softmax(&mut MatrixMut::new(seen, 1, seen_tokens), self.scale());
                    unseen.fill(0.0);
                }
                linear(
                    MatrixRef::new(scores, count, tokens),
                    values,
                    None,
                    &mut MatrixMut::with_stride(
                        &mut context[first * self.hidden + column..],
                        count,
                        width,
                        self.hidden,
                    ),
                    scratch,
                );
            }
        }
    }

    /// All heads of one query that sees all keys.
    fn gather_one(
        &self,
        inputs: &HeadInputs<'_>,
        tokens: usize,
        scores: &mut Vec<f32>,
        context: &mut [f32],
    ) {
        let width = self.hidden / self.heads;
        for (head, context) in context.chunks_exact_mut(width).enumerate() {
            let column = head * width;
            let query = inputs.queries.part(0, 1, column, width).row(0);
            let keys = inputs.keys.part(0, tokens, column, width);
            let values = inputs.values.part(0, tokens, column, width);
            scores.clear();
            scores.extend((0..tokens).map(|token| dot(query, keys.row(token))));
            softmax(&mut MatrixMut::new(scores, 1, tokens), self.scale());
            context.fill(0.0);
            for (token, &score) in scores.iter().enumerate() {
                add_scaled(context, score, values.row(token));
            }
        }
    }

    /// What a score is multiplied by.
    fn scale(&self) -> f32 {
        1.0 / ((self.hidden / self.heads) as f32).sqrt()
    }
}

/// What the heads work on; each head has its columns of all three.
struct HeadInputs<'a> {
    queries: Rows<'a>,
    keys: Rows<'a>,
    values: Rows<'a>,
}

/// Rows that lie `stride` numbers apart.
struct Rows<'a> {
    data: &'a [f32],
    stride: usize,
}

impl<'a> Rows<'a> {
    fn new(data: &'a [f32], offset: usize, stride: usize) -> Self {
        Rows {
            data: &data[offset..],
            stride,
        }
    }

    /// `rows` rows from row `first` on, and of each the `width` columns from column `column` on.
    fn part(&self, first: usize, rows: usize, column: usize, width: usize) -> MatrixRef<'a> {
        let data = &self.data[first * self.stride + column..];
        MatrixRef::with_stride(data, rows, width, self.stride)
    }
}
