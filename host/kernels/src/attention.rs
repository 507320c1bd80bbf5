//! Attention of several heads, of all rows to all rows, as in an encoder (Vaswani et al., "Attention Is All
//! You Need", 2017).
//!
//! As many heads at once as are little work together, and at least one for each thread; a block of rows after
//! another, with a look at the deadline between two. So there are never more scores than those of a few blocks.

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

/// The most rows: with as many keys, the scores of one row are well within a block.
pub(crate) const MAX_ROWS: usize = 1 << 16;

/// The widest head. Its keys are then at most 2²⁶ numbers, which are packed in a tenth of a second.
const MAX_WIDTH: usize = 1 << 10;

/// Multiplications of one block of one head, at most: a millisecond or two.
const BLOCK_MULTIPLICATIONS: usize = 1 << 26;

/// Scores of one block of one head, at most: what a second-level cache holds.
const BLOCK_SCORES: usize = 1 << 17;

/// Heads at once, at most, if there are no more threads: narrow ones take more memory packed than they have.
const HEADS_AT_ONCE: usize = 32;

/// Packed matrices are filled up to so many columns or rows, the widest panel of any kernel.
const PANEL: u64 = 64;

/// What a score's exponential costs, in multiplications.
const EXPONENTIAL: u64 = 16;

/// Heads that share the columns evenly: all queries, then all keys, then all values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heads {
    count: usize,
    width: usize,
}

impl Heads {
    /// So many heads in rows of this length, where they share it evenly and are not too wide.
    pub(crate) fn new(count: usize, row: usize) -> Option<Self> {
        let width = row.checked_div(count.checked_mul(3)?)?;
        let fits = (1..=MAX_WIDTH).contains(&width) && row == 3 * count * width;
        fits.then_some(Self { count, width })
    }

    /// The length of a row that goes in.
    pub(crate) fn inputs(self) -> usize {
        3 * self.outputs()
    }

    /// The length of a row that comes out.
    pub(crate) fn outputs(self) -> usize {
        self.count * self.width
    }

    /// The work that so many rows are, in multiplications with an addition.
    pub(crate) fn multiplications(self, rows: usize) -> u64 {
        let scores = (rows as u64).saturating_mul(rows as u64);
        let each = 2 * self.width as u64 + EXPONENTIAL;
        scores
            .saturating_mul(each)
            .saturating_mul(self.count as u64)
    }

    /// Counts the numbers that are held beside the rows that come and go: keys and values, filled up to whole panels,
    /// and the scores and the answers of a block, for each head that is computed at once.
    pub(crate) fn scratch(self, rows: usize, threads: usize) -> u64 {
        let (rows, width) = (rows as u64, self.width as u64);
        let packed = 2 * (rows + PANEL) * (width + PANEL);
        let work = (self.block(rows as usize) as u64).saturating_mul(rows + width);
        (packed + work).saturating_mul(self.at_once(rows as usize, threads) as u64)
    }

    /// Rows that are attended to at once.
    fn block(self, rows: usize) -> usize {
        (BLOCK_MULTIPLICATIONS / (2 * rows * self.width).max(1))
            .min(BLOCK_SCORES / rows.max(1))
            .clamp(1, rows.max(1))
    }

    /// Heads that are computed at once.
    fn at_once(self, rows: usize, threads: usize) -> usize {
        let all_rows = (2 * rows * self.width).saturating_mul(rows).max(1);
        let at_once = (BLOCK_MULTIPLICATIONS / all_rows).min(HEADS_AT_ONCE);
        at_once.max(threads).min(self.count)
    }

    /// `softmax(q·kᵀ / √width)·v` of each head, `[rows, heads · width]`. `go_on` is asked before each piece
    /// of work.
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

/// What one head works in for a block.
#[derive(Default)]
struct Work {
    /// `[rows of the block, rows]`.
    scores: Vec<f32>,
    /// `[rows of the block, width]`.
    found: Vec<f32>,
}

/// One head, its keys and values packed.
struct Head<'a> {
    /// The first of its columns, in the queries and in what comes out.
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
