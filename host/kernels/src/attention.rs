//! Multi-head attention of all rows to all rows, as in an encoder (Vaswani et al., "Attention Is All
//! You Need", 2017).
//!
//! Heads are computed in groups, of at least one head a thread, and rows in blocks. The deadline is checked between two
//! blocks. Memory holds the scores of one block a head, and not those of all rows.

use std::ops::Range;

use rayon::iter::{
    IndexedParallelIterator as _, IntoParallelIterator as _, IntoParallelRefIterator as _,
    ParallelIterator as _,
};
use rten_gemm::{GemmInputB, PackedBMatrix};
use rten_simd::SimdOp as _;
use rten_tensor::NdTensorView;
use rten_tensor::prelude::*;
use rten_vecmath::Softmax;

use crate::f32_product::{self, Options};
use crate::rows::Rows;

/// Most rows of one call: the scores of one row then fit a block of [`BLOCK_SCORES`].
pub(crate) const MAX_ROWS: usize = 1 << 16;

/// Widest head. Its keys are at most 2²⁶ numbers, which are packed in a tenth of a second between two checks of the
/// deadline.
pub(crate) const MAX_WIDTH: usize = 1 << 10;

/// Most multiplications of one block of one head: a millisecond or two between two checks of the deadline.
const BLOCK_MULTIPLICATIONS: usize = 1 << 26;

/// Most scores of one block of one head: they fit a second-level cache.
const BLOCK_SCORES: usize = 1 << 17;

/// Most heads at once, unless there are more threads. Narrow heads take more memory packed than unpacked.
const HEADS_AT_ONCE: usize = 32;

/// Padding of packed matrices, in columns or rows: the widest panel of any kernel.
const PANEL: u64 = 64;

/// Cost of a score's exponential, in multiplications.
const EXPONENTIAL: u64 = 16;

/// Heads that share a row's columns evenly: all queries, then all keys, then all values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heads {
    count: usize,
    width: usize,
}

impl Heads {
    /// Returns `count` heads for rows of length `row`; `None` when they cannot share a row evenly, or are over
    /// [`MAX_WIDTH`].
    pub(crate) fn new(count: usize, row: usize) -> Option<Self> {
        let width = row.checked_div(count.checked_mul(3)?)?;
        let fits = (1..=MAX_WIDTH).contains(&width) && row == 3 * count * width;
        fits.then_some(Self { count, width })
    }

    /// Returns the length of an input row.
    pub(crate) fn inputs(self) -> usize {
        3 * self.outputs()
    }

    /// Returns the length of an output row.
    pub(crate) fn outputs(self) -> usize {
        self.count * self.width
    }

    /// Returns the work for so many rows, in multiply-adds.
    pub(crate) fn multiplications(self, rows: usize) -> u64 {
        let scores = (rows as u64).saturating_mul(rows as u64);
        let each = 2 * self.width as u64 + EXPONENTIAL;
        scores
            .saturating_mul(each)
            .saturating_mul(self.count as u64)
    }

    /// Counts the numbers that are held beside input and output rows: padded keys and values, and the scores and
    /// results of a block, for each head that is computed at once.
    pub(crate) fn scratch(self, rows: usize, threads: usize) -> u64 {
        let (rows, width) = (rows as u64, self.width as u64);
        let packed = 2 * (rows + PANEL) * (width + PANEL);
        let work = (self.block(rows as usize) as u64).saturating_mul(rows + width);
        (packed + work).saturating_mul(self.at_once(rows as usize, threads) as u64)
    }

    /// Returns the rows of a block.
    fn block(self, rows: usize) -> usize {
        (BLOCK_MULTIPLICATIONS / (2 * rows * self.width).max(1))
            .min(BLOCK_SCORES / rows.max(1))
            .clamp(1, rows.max(1))
    }

    /// Returns the heads that are computed at once.
    fn at_once(self, rows: usize, threads: usize) -> usize {
        let all_rows = (2 * rows * self.width).saturating_mul(rows).max(1);
        let at_once = (BLOCK_MULTIPLICATIONS / all_rows).min(HEADS_AT_ONCE);
        at_once.max(threads).min(self.count)
    }

    /// Computes `softmax(q·kᵀ / √width)·v` of each head, `[rows, heads · width]`. `go_on` is called before each block;
    /// its error stops the work.
    pub(crate) fn attend(
        self,
        x: Rows<'_>,
        threads: usize,
        go_on: impl Fn() -> wasmtime::Result<()>,
    ) -> wasmtime::Result<Vec<f32>> {
        let rows = x.count();
        let block = self.block(rows);
        let mut y = vec![0.0; rows * self.outputs()];
        let mut work: Vec<Work> = Vec::new();
        work.resize_with(self.at_once(rows, threads), Work::default);
        for first in (0..self.count).step_by(work.len()) {
            go_on()?;
            let group = first..(first + work.len()).min(self.count);
            let heads = || {
                group
                    .clone()
                    .into_par_iter()
                    .map(|index| Head::pack(self, index, x))
            };
            let heads: Vec<Head<'_>> = heads().collect();
            for start in (0..rows).step_by(block) {
                go_on()?;
                let block = start..(start + block).min(rows);
                let pairs = heads.par_iter().zip(&mut work);
                pairs.try_for_each(|(head, work)| head.attend(block.clone(), work))?;
                for (head, work) in heads.iter().zip(&work) {
                    let columns = head.column..head.column + self.width;
                    let y = y[block.start * self.outputs()..].chunks_exact_mut(self.outputs());
                    for (y, found) in y.zip(work.found.chunks_exact(self.width)) {
                        y[columns.clone()].copy_from_slice(found);
                    }
                }
            }
        }
        Ok(y)
    }
}

/// Buffers of one head for a block.
#[derive(Default)]
struct Work {
    /// `[rows of the block, rows]`.
    scores: Vec<f32>,
    /// `[rows of the block, width]`.
    found: Vec<f32>,
}

/// One head, with packed keys and values.
struct Head<'a> {
    /// First column of the head, in the queries and in the output.
    column: usize,
    /// `[rows, width]`.
    queries: NdTensorView<'a, f32, 2>,
    /// `[width, rows]`.
    keys: PackedBMatrix<f32>,
    /// `[rows, width]`.
    values: PackedBMatrix<f32>,
    scale: f32,
}

impl<'a> Head<'a> {
    fn pack(heads: Heads, index: usize, x: Rows<'a>) -> Self {
        let all = x.view();
        let column = index * heads.width;
        let part = |of: usize| {
            let first = of * heads.outputs() + column;
            all.slice((.., first..first + heads.width))
        };
        Self {
            column,
            queries: part(0),
            keys: f32_product::pack(part(1).transposed()),
            values: f32_product::pack(part(2)),
            scale: 1.0 / (heads.width as f32).sqrt(),
        }
    }

    fn attend(&self, rows: Range<usize>, work: &mut Work) -> wasmtime::Result<()> {
        let [tokens, width] = self.queries.shape();
        let Work { scores, found } = work;
        scores.resize(rows.len() * tokens, 0.0);
        found.resize(rows.len() * width, 0.0);
        let queries = self.queries.slice((rows.clone(), ..));
        let scaled = Options {
            alpha: self.scale,
            ..Options::default()
        };
        f32_product::product(queries, GemmInputB::Packed(&self.keys), scaled, scores)?;
        for row in scores.chunks_exact_mut(tokens) {
            Softmax::new_mut(row).dispatch();
        }
        let scores = NdTensorView::from_data([rows.len(), tokens], &scores[..]);
        let values = GemmInputB::Packed(&self.values);
        f32_product::product(scores, values, Options::default(), found)
    }
}
