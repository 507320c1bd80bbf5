//! Activations rounded to bytes, in the order in which the inner loop reads them.

use super::{Activation8, DEPTH, MOST_ACTIVATION, scale_of};
use crate::matrix::MatrixRef;
use crate::simd::{Kernels, Native};
use crate::tile::{STEPS, TILE_ROWS, window};

/// Inputs that are rounded at a time.
const CHUNK: usize = 4;

/// One step's share: [`DEPTH`] inputs of [`TILE_ROWS`] rows, those of a row in every lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Int8RowStep(pub(crate) [[[Activation8; DEPTH]; 4]; TILE_ROWS]);

impl Int8RowStep {
    pub(crate) const ZERO: Int8RowStep = Int8RowStep([[[0; DEPTH]; 4]; TILE_ROWS]);
}

/// A group of rows' scales, and the sums of what they became.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GroupFacts {
    pub(crate) scales: [f32; TILE_ROWS],
    pub(crate) sums: [i32; TILE_ROWS],
}

/// A block of activations: rows in groups of four, and a group step by step.
#[derive(Debug, Default)]
pub(crate) struct Int8Rows {
    depth: usize,
    steps: Vec<Int8RowStep>,
    groups: Vec<GroupFacts>,
    /// A group's rows, padded with zeros to whole steps.
    padded: [Vec<f32>; TILE_ROWS],
}

impl Int8Rows {
    /// Rounds and packs these rows of `x`. The last group is filled up with rows of zeros.
    pub(crate) fn pack(&mut self, x: MatrixRef<'_>, rows: std::ops::Range<usize>) {
        self.depth = x.columns().div_ceil(DEPTH);
        self.steps.clear();
        self.groups.clear();
        let whole = x.columns() / CHUNK * CHUNK;
        for first in rows.clone().step_by(TILE_ROWS) {
            let row = |i| {
                let row = first + i;
                if row < rows.end { x.row(row) } else { &[] }
            };
            let group: [&[f32]; TILE_ROWS] = std::array::from_fn(row);
            let scales = group.map(|row| scale_of(row, MOST_ACTIVATION));
            let inverses = scales.map(|(_, inverse)| inverse);
            let mut facts = GroupFacts {
                scales: scales.map(|(scale, _)| scale),
                sums: [0; TILE_ROWS],
            };
            let start = self.steps.len();
            if rows.end - first >= TILE_ROWS {
                let whole_rows = group.map(|row| &row[..whole]);
                Native::round_rows(whole_rows, inverses, &mut self.steps, &mut facts.sums);
                let rest = group.map(|row| &row[whole..]);
                self.round_rest(rest, inverses, &mut facts.sums);
            } else {
                self.round_rest(group, inverses, &mut facts.sums);
            }
            self.steps.resize(start + self.depth, Int8RowStep::ZERO);
            self.groups.push(facts);
        }
        self.steps
            .resize(self.steps.len() + STEPS - 1, Int8RowStep::ZERO);
    }

    /// Rounds what is not whole: rows that end within a chunk, or are missing.
    fn round_rest(
        &mut self,
        rows: [&[f32]; TILE_ROWS],
        inverses: [f32; TILE_ROWS],
        sums: &mut [i32; TILE_ROWS],
    ) {
        let columns = rows[0].len();
        for (padded, row) in self.padded.iter_mut().zip(rows) {
            padded.clear();
            padded.extend_from_slice(row);
            padded.resize(columns.next_multiple_of(CHUNK), 0.0);
        }
        let padded = self.padded.each_ref().map(Vec::as_slice);
        Native::round_rows(padded, inverses, &mut self.steps, sums);
    }

    /// [`STEPS`] steps of the group from step `step` on. Those beyond its last are not its.
    #[inline(always)]
    pub(crate) fn steps(&self, group: usize, step: usize) -> &[Int8RowStep; STEPS] {
        window(&self.steps, group * self.depth + step)
    }

    pub(crate) fn group(&self, group: usize) -> &GroupFacts {
        &self.groups[group]
    }
}
