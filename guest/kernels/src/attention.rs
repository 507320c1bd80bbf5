//! Scaled dot-product attention of several heads (Vaswani et al., "Attention Is All You Need", 2017).
//!
//! Scores exist for one block of queries and one block of keys at a time: the softmax gathers its divisors from
//! block to block (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al.,
//! "FlashAttention", 2022).
//!
//! The products are transposed: a tile of scores is four keys by eight queries. A row of a tile is then in the order
//! in which the inner loop reads it for a key in the second product, so that nothing is packed in between, and the
//! softmax of eight queries goes lane by lane.

use crate::blocks::tile::{ColumnStep, STEPS, TILE_COLUMNS, TILE_ROWS, Tile, alone};
use crate::elementwise::{add_scaled, dot};
use crate::matrix::{MatrixMut, MatrixRef};
use crate::packed_rows::PackedRows;
use crate::panels::Panels;
use crate::simd::{Kernels, LANES, Native, Vector};
use crate::softmax::{exp, softmax};

/// Keys in a block, a multiple of [`TILE_ROWS`].
const BLOCK_KEYS: usize = 128;

/// Panels of eight queries in a block. With [`BLOCK_KEYS`] the scores are 16 KiB, which a first-level
/// cache holds beside four keys.
const BLOCK_PANELS: usize = 4;

/// The largest score so far, before there is any: less than all that matter, and finite, so that its distance to
/// itself is a number.
const NO_SCORE: f32 = -1e30;

/// The keys that a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// All of them, as in an encoder.
    All,
    /// Keys up to the query's own, as in a decoder. The last query's own key is the last key.
    Causal,
}

/// Inputs of all heads. Each head has its own columns.
#[derive(Debug, Clone, Copy)]
pub struct AttentionInputs<'a> {
    /// `[rows, heads · width]`.
    pub queries: MatrixRef<'a>,
    /// `[tokens, heads · width]`.
    pub keys: MatrixRef<'a>,
    /// `[tokens, heads · width]`.
    pub values: MatrixRef<'a>,
}

/// Working memory of [`attention`], for reuse by the next call.
#[derive(Debug, Default)]
pub struct AttentionScratch {
    queries: Panels,
    keys: PackedRows,
    values: PackedRows,
    /// Scores of each panel of a block, key by key.
    scores: Vec<ColumnStep>,
    /// Gathered values of each panel of a block, four columns of a head at a time.
    gathered: Vec<Tile>,
    /// One query's scores.
    row: Vec<f32>,
}

/// `y = softmax(q·kᵀ / √width)·v` for each of `heads`, which share the columns evenly.
///
/// Shapes: those of [`AttentionInputs`]; `y` `[rows, heads · width]`.
///
/// # Panics
///
/// When the shapes do not fit, or there are no heads; for [`Visibility::Causal`] also when there are fewer tokens than rows.
pub fn attention(
    inputs: AttentionInputs<'_>,
    heads: usize,
    visibility: Visibility,
    y: &mut MatrixMut<'_>,
    scratch: &mut AttentionScratch,
) {
    let AttentionInputs {
        queries,
        keys,
        values,
    } = inputs;
    let columns = queries.columns();
    assert!(heads > 0, "no heads");
    assert!(
        columns.is_multiple_of(heads),
        "{columns} columns for {heads} heads"
    );
    assert_eq!(keys.columns(), columns, "columns of queries and of keys");
    assert_eq!(
        values.columns(),
        columns,
        "columns of queries and of values"
    );
    assert_eq!(y.columns(), columns, "columns of queries and of y");
    assert_eq!(y.rows(), queries.rows(), "rows of queries and of y");
    assert_eq!(keys.rows(), values.rows(), "keys and values");
    let unseen = match visibility {
        Visibility::All => None,
        Visibility::Causal => {
            assert!(queries.rows() <= keys.rows(), "more queries than keys");
            Some(keys.rows() - queries.rows())
        }
    };
    let width = columns / heads;
    for head in 0..heads {
        let place = head * width..(head + 1) * width;
        let head = Head {
            queries: queries.part(0..queries.rows(), place.clone()),
            keys: keys.part(0..keys.rows(), place.clone()),
            values: values.part(0..values.rows(), place.clone()),
            column: place.start,
            before: unseen,
            scale: 1.0 / (width as f32).sqrt(),
        };
        if queries.rows() == 1 {
            head.attend_once(y, &mut scratch.row);
        } else {
            head.attend(y, scratch);
        }
    }
}

/// One head's columns of all inputs.
struct Head<'a> {
    queries: MatrixRef<'a>,
    keys: MatrixRef<'a>,
    values: MatrixRef<'a>,
    /// Its first column in the answer.
    column: usize,
    /// Keys before that of the first query, where a query sees only the keys up to its own.
    before: Option<usize>,
    scale: f32,
}

/// The softmax of a panel so far.
#[derive(Debug, Clone, Copy)]
struct Running {
    largest: ColumnStep,
    sum: ColumnStep,
}

impl Head<'_> {
    /// Returns how many keys the query in a row sees.
    fn visible(&self, row: usize) -> usize {
        match self.before {
            None => self.keys.rows(),
            Some(before) => (before + row + 1).min(self.keys.rows()),
        }
    }

    /// Answers one query, which sees all keys. Packing them would cost more than the products.
    fn attend_once(&self, y: &mut MatrixMut<'_>, scores: &mut Vec<f32>) {
        let query = self.queries.row(0);
        scores.clear();
        scores.extend((0..self.keys.rows()).map(|key| dot(query, self.keys.row(key))));
        let count = scores.len();
        softmax(&mut MatrixMut::new(scores, 1, count), self.scale);
        let y = &mut y.row_mut(0)[self.column..][..query.len()];
        y.fill(0.0);
        for (key, &score) in scores.iter().enumerate() {
            add_scaled(y, score, self.values.row(key));
        }
    }

    fn attend(&self, y: &mut MatrixMut<'_>, scratch: &mut AttentionScratch) {
        let AttentionScratch {
            queries,
            keys,
            values,
            scores,
            gathered,
            ..
        } = scratch;
        queries.pack(self.queries);
        keys.pack(self.keys, 0..self.keys.rows(), 0..self.keys.columns());
        values.pack_transposed(self.values);
        let panels = self.queries.rows().div_ceil(TILE_COLUMNS);
        let tiles = self.values.columns().div_ceil(TILE_ROWS);
        scores.resize(BLOCK_PANELS * BLOCK_KEYS, ColumnStep::ZERO);
        for first_panel in (0..panels).step_by(BLOCK_PANELS) {
            let block = first_panel..panels.min(first_panel + BLOCK_PANELS);
            let mut running = [Running::START; BLOCK_PANELS];
            gathered.clear();
            gathered.resize(block.len() * tiles, [ColumnStep::ZERO; TILE_ROWS]);
            let seen = self.seen_by(block.end - 1);
            for first_key in (0..seen).step_by(BLOCK_KEYS) {
                let count = BLOCK_KEYS.min(seen - first_key);
                self.score(
                    [first_panel, block.len()],
                    [first_key, count],
                    queries,
                    keys,
                    scores,
                );
                for (i, running) in running.iter_mut().enumerate().take(block.len()) {
                    let scores = &mut scores[i * BLOCK_KEYS..][..BLOCK_KEYS];
                    let factor = running.soften(&mut scores[..count], self.scale, |key| {
                        self.mask(first_panel + i, first_key + key)
                    });
                    let gathered = &mut gathered[i * tiles..][..tiles];
                    rescale(gathered, factor);
                    self.gather(first_key, count, scores, values, gathered);
                }
            }
            for (i, panel) in block.enumerate() {
                let gathered = &mut gathered[i * tiles..][..tiles];
                rescale(gathered, running[i].inverse());
                self.store(panel, gathered, y);
            }
        }
    }

    /// Returns how many keys any query of a panel sees: as many as its last.
    fn seen_by(&self, panel: usize) -> usize {
        let last = (panel + 1) * TILE_COLUMNS - 1;
        self.visible(last.min(self.queries.rows() - 1))
    }

    /// Returns which queries of a panel do not see a key, if there are any.
    fn mask(&self, panel: usize, key: usize) -> Option<[bool; TILE_COLUMNS]> {
        let first = panel * TILE_COLUMNS;
        (self.visible(first) <= key)
            .then(|| std::array::from_fn(|lane| self.visible(first + lane) <= key))
    }

    /// Computes the products of a block of queries with a block of keys.
    fn score(
        &self,
        [first_panel, panels]: [usize; 2],
        [first_key, count]: [usize; 2],
        queries: &Panels,
        keys: &PackedRows,
        scores: &mut [ColumnStep],
    ) {
        let width = self.queries.columns();
        for group in 0..count.div_ceil(TILE_ROWS) {
            for first in (0..width.max(1)).step_by(STEPS) {
                let together = first..width.min(first + STEPS);
                let keys = keys.steps(first_key / TILE_ROWS + group, together);
                for panel in 0..panels {
                    let start = panel * BLOCK_KEYS + group * TILE_ROWS;
                    let Some(tile) = scores[start..].first_chunk_mut::<TILE_ROWS>() else {
                        return;
                    };
                    if first == 0 {
                        *tile = [ColumnStep::ZERO; TILE_ROWS];
                    }
                    let panel = first_panel + panel;
                    let queries = queries.together(panel..panel + 1, first);
                    Native::accumulate(keys, queries, alone(tile));
                }
            }
        }
    }

    /// Adds the values that a panel's queries gather from a block of keys.
    fn gather(
        &self,
        first_key: usize,
        count: usize,
        scores: &[ColumnStep],
        values: &PackedRows,
        gathered: &mut [Tile],
    ) {
        for first in (0..count).step_by(STEPS) {
            let together = first..count.min(first + STEPS);
            for (group, tile) in gathered.iter_mut().enumerate() {
                let keys = first_key + together.start..first_key + together.end;
                let values = values.steps(group, keys);
                Native::accumulate(values, &scores[together.clone()], alone(tile));
            }
        }
    }

    /// Stores the values that a panel's queries gathered, each in its row.
    fn store(&self, panel: usize, gathered: &[Tile], y: &mut MatrixMut<'_>) {
        let first = panel * TILE_COLUMNS;
        let columns = self.column..self.column + self.values.columns();
        for (column, tile) in columns.clone().step_by(TILE_ROWS).zip(gathered) {
            let columns = column..columns.end.min(column + TILE_ROWS);
            for half in 0..2 {
                let numbers = tile.each_ref().map(|sums| Native::load(&sums.0[half]));
                let rows = first + half * LANES..self.queries.rows();
                for (row, numbers) in rows.zip(Native::transposed(numbers)) {
                    let y = &mut y.row_mut(row)[columns.clone()];
                    match y.first_chunk_mut() {
                        Some(y) => numbers.store(y),
                        None => y.copy_from_slice(&numbers.lanes()[..y.len()]),
                    }
                }
            }
        }
    }
}

impl Running {
    const START: Running = Running {
        largest: ColumnStep([[NO_SCORE; 4]; 2]),
        sum: ColumnStep::ZERO,
    };

    /// Replaces a block's scores by their powers, and returns the factors by which the values gathered before are to
    /// be multiplied. `mask` tells which queries do not see a key of the block.
    #[cfg_attr(
        all(target_arch = "wasm32", feature = "relaxed-simd"),
        target_feature(enable = "relaxed-simd")
    )]
    fn soften(
        &mut self,
        scores: &mut [ColumnStep],
        scale: f32,
        mask: impl Fn(usize) -> Option<[bool; TILE_COLUMNS]>,
    ) -> ColumnStep {
        // Keys that some do not see are the last ones.
        let mut masked = scores.len();
        while masked > 0 && mask(masked - 1).is_some() {
            masked -= 1;
        }
        for (key, scores) in scores.iter_mut().enumerate().skip(masked) {
            hide(scores, mask(key), f32::NEG_INFINITY);
        }
        let scale = Native::splat(scale);
        let [mut left, mut right] = [Native::splat(f32::NEG_INFINITY); 2];
        for score in &*scores {
            let [l, r] = vectors(score);
            (left, right) = (left.max(l), right.max(r));
        }
        let [old_left, old_right] = vectors(&self.largest);
        let left = old_left.max(left.mul(scale));
        let right = old_right.max(right.mul(scale));
        let factors = [exp(old_left.sub(left)), exp(old_right.sub(right))];
        self.largest = stored([left, right]);

        let [mut left_sum, mut right_sum] = vectors(&self.sum);
        left_sum = left_sum.mul(factors[0]);
        right_sum = right_sum.mul(factors[1]);
        let zero = Native::splat(0.0);
        let (left, right) = (zero.sub(left), zero.sub(right));
        for score in scores.iter_mut() {
            let [l, r] = vectors(score);
            let (l, r) = (exp(l.mul_add(scale, left)), exp(r.mul_add(scale, right)));
            *score = stored([l, r]);
            (left_sum, right_sum) = (left_sum.add(l), right_sum.add(r));
        }
        self.sum = stored([left_sum, right_sum]);
        // The least power is not quite nothing.
        for (key, scores) in scores.iter_mut().enumerate().skip(masked) {
            hide(scores, mask(key), 0.0);
        }
        stored(factors)
    }

    /// Returns the reciprocals of the sums of weights, by which the gathered rows are multiplied at the end.
    fn inverse(&self) -> ColumnStep {
        ColumnStep(self.sum.0.map(|sums| sums.map(|sum| 1.0 / sum)))
    }
}

/// Puts `value` where a query does not see the key.
fn hide(scores: &mut ColumnStep, mask: Option<[bool; TILE_COLUMNS]>, value: f32) {
    if let Some(mask) = mask {
        let scores = scores.0.as_flattened_mut().iter_mut().zip(mask);
        for (score, _) in scores.filter(|(_, hidden)| *hidden) {
            *score = value;
        }
    }
}

/// Multiplies each query's numbers by its factor.
fn rescale(gathered: &mut [Tile], factor: ColumnStep) {
    let [left, right] = vectors(&factor);
    for sums in gathered.as_flattened_mut() {
        let [l, r] = vectors(sums);
        *sums = stored([l.mul(left), r.mul(right)]);
    }
}

#[inline(always)]
fn vectors(step: &ColumnStep) -> [Native; 2] {
    step.0.each_ref().map(Native::load)
}

#[inline(always)]
fn stored([left, right]: [Native; 2]) -> ColumnStep {
    let mut step = ColumnStep::ZERO;
    left.store(&mut step.0[0]);
    right.store(&mut step.0[1]);
    step
}
