//! Where a product goes: tiles of the answer, which begin with the biases, take in what is summed, and end with
//! the activation.
//!
//! A tile is worked on where it lies. Only one that reaches over the answer's edge is a copy, of which the part
//! within is put back.

use std::ops::Range;

use crate::epilogue::{Activation, Epilogue};
use crate::matrix::MatrixMut;
use crate::simd::{LANES, Native, Vector};
use crate::tile::{ColumnStep, TILE_COLUMNS, TILE_ROWS, TileRow, TileRows, rows_of};

/// The answer, and what becomes of a product on its way there.
pub(crate) struct Output<'a, 'y> {
    pub(crate) y: &'a mut MatrixMut<'y>,
    /// One for each column, or zeros.
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) epilogue: Epilogue,
}

/// Which of the blocks of inputs is summed.
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
    /// Has `sum` add to the tiles of the four rows from `row` on, panel by panel.
    #[inline(always)]
    pub(crate) fn each_tile(
        &mut self,
        row: usize,
        panels: Range<usize>,
        pass: Pass,
        sum: impl Fn(usize, TileRows<'_>),
    ) {
        let (bias, epilogue) = (self.bias, self.epilogue);
        let work = |panel: usize, mut rows: TileRows<'_>| {
            if pass.is_first {
                begin(&mut rows, bias, panel, epilogue);
            }
            sum(panel, rows.each_mut().map(|row| &mut **row));
            if pass.is_last
                && let Epilogue::Store(activation) = epilogue
                && activation != Activation::Identity
            {
                activation.apply(rows);
            }
        };
        let mut done = panels.start;
        if let Some(rows) = self.y.group_mut::<TILE_ROWS>(row) {
            let [y0, y1, y2, y3] = rows.map(|y| tile_rows(&mut y[panels.start * TILE_COLUMNS..]));
            let tiles = y0.iter_mut().zip(y1).zip(y2).zip(y3);
            for (((r0, r1), r2), r3) in tiles.take(panels.len()) {
                work(done, [r0, r1, r2, r3]);
                done += 1;
            }
        }
        for panel in done..panels.end {
            let mut tile = [ColumnStep::ZERO; TILE_ROWS];
            let rows = row..self.y.rows().min(row + TILE_ROWS);
            for (row, copy) in rows.clone().zip(&mut tile) {
                let y = &self.y.row_mut(row)[panel * TILE_COLUMNS..];
                fit(copy.0.as_flattened_mut(), y);
            }
            work(panel, rows_of(&mut tile));
            for (row, copy) in rows.zip(&tile) {
                let y = &mut self.y.row_mut(row)[panel * TILE_COLUMNS..];
                fit(y, copy.0.as_flattened());
            }
        }
    }

    /// Puts a panel's sums into the only row.
    pub(crate) fn put_row(&mut self, panel: usize, sums: &ColumnStep) {
        let y = &mut self.y.row_mut(0)[panel * TILE_COLUMNS..];
        let mut row = ColumnStep::ZERO.0;
        fit(row.as_flattened_mut(), y);
        begin(&mut [&mut row], self.bias, panel, self.epilogue);
        add(&mut row, &sums.0);
        if let Epilogue::Store(activation) = self.epilogue {
            activation.apply([&mut row]);
        }
        fit(y, row.as_flattened());
    }
}

/// What sums begin with: the biases, and what is to be added to.
#[inline(always)]
fn begin(rows: &mut [&mut TileRow], bias: Option<&[f32]>, panel: usize, epilogue: Epilogue) {
    let mut biases = ColumnStep::ZERO.0;
    if let Some(bias) = bias {
        fit(biases.as_flattened_mut(), &bias[panel * TILE_COLUMNS..]);
    }
    for row in rows {
        match epilogue {
            Epilogue::Store(_) => **row = biases,
            Epilogue::Add => add(row, &biases),
        }
    }
}

#[inline(always)]
fn add(row: &mut TileRow, other: &TileRow) {
    for (y, other) in row.iter_mut().zip(other) {
        Native::load(y).add(Native::load(other)).store(y);
    }
}

/// The parts of a row that are of whole tiles.
#[inline(always)]
fn tile_rows(y: &mut [f32]) -> &mut [TileRow] {
    y.as_chunks_mut::<LANES>().0.as_chunks_mut().0
}

/// Copies as much as both hold.
#[inline(always)]
fn fit(to: &mut [f32], from: &[f32]) {
    if let (Some(to), Some(from)) = (
        to.first_chunk_mut::<TILE_COLUMNS>(),
        from.first_chunk::<TILE_COLUMNS>(),
    ) {
        // Eight at once: away from the edges a copy of a length known only at run time would be
        // a call.
        *to = *from;
        return;
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}
