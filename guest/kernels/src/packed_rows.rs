//! Activations in f32, in the order in which the inner loops read them.

use std::ops::Range;

use crate::blocks::strip::SpreadNumber;
use crate::blocks::tile::{RowStep, TILE_ROWS};
use crate::matrix::MatrixRef;
use crate::rows::{self, padded};
use crate::simd::{LANES, Native, Vector};

/// A block of activations: rows in groups of four, and a group column by column.
#[derive(Debug, Default)]
pub(crate) struct PackedRows {
    columns: usize,
    /// Group by group.
    steps: Vec<RowStep>,
}

impl PackedRows {
    /// Packs these rows and columns of `x`. The last group is filled up with its last row.
    pub(crate) fn pack(&mut self, x: MatrixRef<'_>, rows: Range<usize>, columns: Range<usize>) {
        self.columns = columns.len();
        let groups = rows.len().div_ceil(TILE_ROWS);
        self.steps.resize(groups * columns.len(), RowStep::ZERO);
        if columns.is_empty() {
            return;
        }
        let groups = self.steps.chunks_exact_mut(columns.len());
        for (first, steps) in rows.clone().step_by(TILE_ROWS).zip(groups) {
            let group: [_; TILE_ROWS] = std::array::from_fn(|i| {
                let row = (first + i).min(rows.end - 1);
                &x.row(row)[columns.clone()]
            });
            let (fours, rest) = steps.as_chunks_mut::<LANES>();
            for (numbers, to) in rows::fours(group).zip(fours) {
                for (lane, numbers) in numbers.into_iter().enumerate() {
                    for (x, to) in numbers.spread().into_iter().zip(&mut *to) {
                        x.store(&mut to.0[lane]);
                    }
                }
            }
            let done = columns.len() - rest.len();
            for (column, to) in (done..).zip(rest) {
                to.0 = group.map(|row| [row[column]; LANES]);
            }
        }
    }

    /// Packs all of `x`, its columns as rows. The last group is filled up with rows of zeros.
    pub(crate) fn pack_transposed(&mut self, x: MatrixRef<'_>) {
        self.columns = x.rows();
        let groups = x.columns().div_ceil(TILE_ROWS);
        self.steps.resize(groups * self.columns, RowStep::ZERO);
        for column in 0..x.rows() {
            let (fours, rest) = x.row(column).as_chunks::<TILE_ROWS>();
            let last = padded(rest);
            let fours = fours.iter().chain((!rest.is_empty()).then_some(&last));
            let steps = self.steps.iter_mut().skip(column).step_by(self.columns);
            for (numbers, step) in fours.zip(steps) {
                for (x, to) in Native::load(numbers).spread().into_iter().zip(&mut step.0) {
                    x.store(to);
                }
            }
        }
    }

    /// Returns these columns of the group.
    #[inline(always)]
    pub(crate) fn steps(&self, group: usize, columns: Range<usize>) -> &[RowStep] {
        &self.steps[group * self.columns..][..self.columns][columns]
    }
}

/// One row of activations.
#[derive(Debug, Default)]
pub(crate) struct SpreadRow {
    /// Number by number.
    numbers: Vec<SpreadNumber>,
}

impl SpreadRow {
    /// Packs a row.
    pub(crate) fn pack(&mut self, x: &[f32]) {
        self.numbers.clear();
        self.numbers.extend(x.iter().map(|&x| SpreadNumber([x; 4])));
    }

    /// Returns these columns.
    #[inline(always)]
    pub(crate) fn steps(&self, columns: Range<usize>) -> &[SpreadNumber] {
        &self.numbers[columns]
    }
}
