//! Destination of a product: four rows of the answer. They begin with the biases, take in the sums a tile at a time,
//! and end with the activation.
//!
//! A tile is summed in place. A tile that reaches over the answer's edge is a copy, whose part within the answer is
//! put back.

use std::ops::Range;

use crate::blocks::tile::{ColumnStep, TILE_COLUMNS, TILE_ROWS, TileRow, Tiles, alone};
use crate::elementwise::add;
use crate::epilogue::Epilogue;
use crate::matrix::MatrixMut;
use crate::simd::LANES;

/// The answer, with the bias and the epilogue of the product.
pub(crate) struct Output<'a, 'y> {
    pub(crate) y: &'a mut MatrixMut<'y>,
    /// One for each column, or zeros.
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) epilogue: Epilogue,
}

/// Place of a block among the blocks of inputs that are summed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    pub(crate) is_first: bool,
    pub(crate) is_last: bool,
}

impl Pass {
    /// All inputs at once.
    pub(crate) const WHOLE: Pass = Pass {
        is_first: true,
        is_last: true,
    };
}

impl Output<'_, '_> {
    /// Calls `sum` to add to the tiles of the four rows from `row` on: first to all that lie whole in the answer, of
    /// which there may be none, and then to one at a time.
    #[inline(always)]
    pub(crate) fn each_tile(
        &mut self,
        row: usize,
        panels: Range<usize>,
        pass: Pass,
        sum: impl Fn(Range<usize>, Tiles<'_>),
    ) {
        let rows = row..self.y.rows().min(row + TILE_ROWS);
        let first = panels.start * TILE_COLUMNS;
        let columns = first..self.y.columns().min(panels.end * TILE_COLUMNS);
        if pass.is_first {
            for row in rows.clone() {
                self.begin(row, columns.clone());
            }
        }
        let mut done = panels.start;
        if let Some(rows) = self.y.group_mut::<TILE_ROWS>(row) {
            let tiles = rows.map(|y| tile_rows(&mut y[columns.clone()]));
            let whole = panels.start..panels.start + tiles[0].len();
            done = whole.end;
            sum(whole, tiles);
        }
        for panel in done..panels.end {
            let mut tile = [ColumnStep::ZERO; TILE_ROWS];
            for (row, copy) in rows.clone().zip(&mut tile) {
                let y = &self.y.row_mut(row)[panel * TILE_COLUMNS..];
                fit(copy.0.as_flattened_mut(), y);
            }
            sum(panel..panel + 1, alone(&mut tile));
            for (row, copy) in rows.clone().zip(&tile) {
                let y = &mut self.y.row_mut(row)[panel * TILE_COLUMNS..];
                fit(y, copy.0.as_flattened());
            }
        }
        if pass.is_last {
            for row in rows {
                self.finish(row, columns.clone());
            }
        }
    }

    /// Calls `sum` for the sums of each panel, by its index, of the only row.
    pub(crate) fn each_panel(&mut self, sum: impl FnOnce(&mut dyn FnMut(usize, &ColumnStep))) {
        let columns = 0..self.y.columns();
        self.begin(0, columns.clone());
        let y = self.y.row_mut(0);
        sum(&mut |panel, sums| {
            let y = &mut y[panel * TILE_COLUMNS..];
            match y.first_chunk_mut::<TILE_COLUMNS>() {
                // Eight at once.
                Some(y) => add(y, sums.0.as_flattened()),
                None => y
                    .iter_mut()
                    .zip(sums.0.as_flattened())
                    .for_each(|(y, sum)| *y += sum),
            }
        });
        self.finish(0, columns);
    }

    /// Prepares these numbers of a row for the sums: with the biases, added to the numbers that stay.
    fn begin(&mut self, row: usize, columns: Range<usize>) {
        let y = &mut self.y.row_mut(row)[columns.clone()];
        match (self.epilogue, self.bias) {
            (Epilogue::Store(_), Some(bias)) => y.copy_from_slice(&bias[columns]),
            (Epilogue::Store(_), None) => y.fill(0.0),
            (Epilogue::Add, Some(bias)) => add(y, &bias[columns]),
            (Epilogue::Add, None) => {}
        }
    }

    /// Applies the activation to sums.
    fn finish(&mut self, row: usize, columns: Range<usize>) {
        if let Epilogue::Store(activation) = self.epilogue {
            activation.apply(&mut self.y.row_mut(row)[columns]);
        }
    }
}

/// Splits a row into whole tiles.
#[inline(always)]
fn tile_rows(y: &mut [f32]) -> &mut [TileRow] {
    y.as_chunks_mut::<LANES>().0.as_chunks_mut().0
}

/// Copies as many numbers as both hold.
fn fit(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
