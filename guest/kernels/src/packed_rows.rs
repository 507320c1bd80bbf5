//! Activations in f32, in the order in which the inner loops read them.

use std::ops::Range;

use crate::matrix::MatrixRef;
use crate::simd::{Kernels, Native};
use crate::strip::SpreadNumber;
use crate::tile::{RowStep, TILE_ROWS};

/// A block of activations: rows in groups of four, and a group column by column.
#[derive(Debug, Default)]
pub(crate) struct PackedRows {
    columns: usize,
    /// Group by group.
    steps: Vec<RowStep>,
}

impl PackedRows {
    /// Packs these rows and columns of `x`. The last group is filled up with rows of zeros.
    pub(crate) fn pack(&mut self, x: MatrixRef<'_>, rows: Range<usize>, columns: Range<usize>) {
        self.columns = columns.len();
        let groups = rows.len().div_ceil(TILE_ROWS);
        self.steps.resize(groups * columns.len(), RowStep::ZERO);
        if columns.is_empty() {
            return;
        }
        let groups = self.steps.chunks_exact_mut(columns.len());
        for (group, steps) in groups.enumerate() {
            for lane in 0..TILE_ROWS {
                let row = rows.start + group * TILE_ROWS + lane;
                if row < rows.end {
                    Native::spread(&x.row(row)[columns.clone()], steps, lane);
                } else {
                    for step in &mut *steps {
                        step.0[lane] = [0.0; 4];
                    }
                }
            }
        }
    }

    /// Packs all of `x`, its columns as rows. The last group is filled up with rows of zeros.
    pub(crate) fn pack_transposed(&mut self, x: MatrixRef<'_>) {
        self.columns = x.rows();
        let groups = x.columns().div_ceil(TILE_ROWS);
        self.steps.resize(groups * self.columns, RowStep::ZERO);
        for column in 0..x.rows() {
            for (group, numbers) in x.row(column).chunks(TILE_ROWS).enumerate() {
                let step = &mut self.steps[group * self.columns + column];
                for (lanes, &x) in step.0.iter_mut().zip(numbers) {
                    *lanes = [x; 4];
                }
                for lanes in &mut step.0[numbers.len()..] {
                    *lanes = [0.0; 4];
                }
            }
        }
    }

    /// These columns of the group.
    #[inline(always)]
    pub(crate) fn steps(&self, group: usize, columns: Range<usize>) -> &[RowStep] {
        &self.steps[group * self.columns..][..self.columns][columns]
    }
}

/// One row.
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

    /// These columns.
    #[inline(always)]
    pub(crate) fn steps(&self, columns: Range<usize>) -> &[SpreadNumber] {
        &self.numbers[columns]
    }
}
