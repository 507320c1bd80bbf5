//! Activations in f32, in the order in which the inner loops read them.

use std::ops::Range;

use crate::matrix::MatrixRef;
use crate::simd::{Kernels, Native};
use crate::strip::SpreadNumber;
use crate::tile::{RowStep, STEPS, TILE_ROWS, window};

/// A block of activations: rows in groups of four, and a group column by column.
#[derive(Debug, Default)]
pub(crate) struct PackedRows {
    columns: usize,
    /// Group by group, and after them enough room that [`STEPS`] steps can be lent from any on.
    steps: Vec<RowStep>,
}

impl PackedRows {
    /// Packs these rows and columns of `x`. The last group is filled up with rows of zeros.
    pub(crate) fn pack(&mut self, x: MatrixRef<'_>, rows: Range<usize>, columns: Range<usize>) {
        self.columns = columns.len();
        let groups = rows.len().div_ceil(TILE_ROWS);
        self.steps
            .resize(groups * columns.len() + STEPS - 1, RowStep::ZERO);
        if columns.is_empty() {
            return;
        }
        for (group, steps) in self.steps[..groups * columns.len()]
            .chunks_exact_mut(columns.len())
            .enumerate()
        {
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
        self.steps
            .resize(groups * self.columns + STEPS - 1, RowStep::ZERO);
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

    /// [`STEPS`] steps of the group from column `column` on. Those beyond its last are not its.
    #[inline(always)]
    pub(crate) fn steps(&self, group: usize, column: usize) -> &[RowStep; STEPS] {
        window(&self.steps, group * self.columns + column)
    }
}

/// One row.
#[derive(Debug, Default)]
pub(crate) struct SpreadRow {
    /// Number by number, and after them enough room that [`STEPS`] can be lent from any on.
    numbers: Vec<SpreadNumber>,
}

impl SpreadRow {
    /// Packs a row.
    pub(crate) fn pack(&mut self, x: &[f32]) {
        self.numbers.clear();
        self.numbers.extend(x.iter().map(|&x| SpreadNumber([x; 4])));
        self.numbers
            .resize(x.len() + STEPS - 1, SpreadNumber([0.0; 4]));
    }

    /// [`STEPS`] numbers from column `column` on. Those beyond the last are not its.
    #[inline(always)]
    pub(crate) fn steps(&self, column: usize) -> &[SpreadNumber; STEPS] {
        window(&self.numbers, column)
    }
}
