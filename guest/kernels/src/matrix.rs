//! Views of row-major matrices whose rows may lie apart, such as one head's columns.
//!
//! [`MatrixRef`] and [`MatrixMut`] share no struct of the three numbers on purpose: with one, the compiler inlines
//! otherwise, and an answer of the built-in model takes 0.2 % more fuel.

use std::ops::Range;

/// A matrix to read: `rows × columns`, the rows `stride` elements apart.
#[derive(Debug, Clone, Copy)]
pub struct MatrixRef<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> MatrixRef<'a> {
    /// Views the `rows × columns` elements of `data`, its rows one after another.
    ///
    /// # Panics
    ///
    /// When `data` is shorter than that.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::with_stride(data, rows, columns, columns)
    }

    /// Views the first `columns` of each of `rows` rows that start `stride` elements apart.
    ///
    /// # Panics
    ///
    /// When `data` is shorter than that, or rows overlap.
    pub fn with_stride(data: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        check(data.len(), rows, columns, stride);
        MatrixRef {
            data,
            rows,
            columns,
            stride,
        }
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns one row.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &'a [f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        &self.data[row * self.stride..][..self.columns]
    }

    /// Returns the rows and columns in these ranges.
    ///
    /// # Panics
    ///
    /// When they are not all there.
    #[must_use]
    pub fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        assert!(
            rows.start <= rows.end && rows.end <= self.rows,
            "rows {rows:?} of {}",
            self.rows
        );
        assert!(
            columns.start <= columns.end && columns.end <= self.columns,
            "columns {columns:?} of {}",
            self.columns
        );
        let data = if rows.is_empty() {
            &[]
        } else {
            &self.data[rows.start * self.stride + columns.start..]
        };
        Self::with_stride(data, rows.len(), columns.len(), self.stride)
    }
}

/// A matrix to write: `rows × columns`, the rows `stride` elements apart.
#[derive(Debug)]
pub struct MatrixMut<'a> {
    data: &'a mut [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// Views the `rows × columns` elements of `data`, its rows one after another.
    ///
    /// # Panics
    ///
    /// When `data` is shorter than that.
    pub fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::with_stride(data, rows, columns, columns)
    }

    /// Views the first `columns` of each of `rows` rows that start `stride` elements apart.
    ///
    /// # Panics
    ///
    /// When `data` is shorter than that, or rows overlap.
    pub fn with_stride(data: &'a mut [f32], rows: usize, columns: usize, stride: usize) -> Self {
        check(data.len(), rows, columns, stride);
        MatrixMut {
            data,
            rows,
            columns,
            stride,
        }
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns the number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns one row.
    ///
    /// # Panics
    ///
    /// When there is no such row.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        &mut self.data[row * self.stride..][..self.columns]
    }

    /// Returns `N` rows from `first` on, if there are that many.
    #[inline(always)]
    pub(crate) fn group_mut<const N: usize>(&mut self, first: usize) -> Option<[&mut [f32]; N]> {
        let mut rows = self
            .data
            .get_mut(first * self.stride..)?
            .chunks_mut(self.stride.max(1));
        if self.rows - first < N {
            return None;
        }
        let mut group = [const { None }; N];
        for row in &mut group {
            *row = Some(rows.next()?.get_mut(..self.columns)?);
        }
        Some(group.map(|row| row.unwrap_or_default()))
    }
}

fn check(len: usize, rows: usize, columns: usize, stride: usize) {
    assert!(columns <= stride, "{columns} columns, {stride} apart");
    let needed = match rows.checked_sub(1) {
        None => Some(0),
        Some(gaps) => gaps
            .checked_mul(stride)
            .and_then(|start| start.checked_add(columns)),
    };
    assert!(
        needed.is_some_and(|needed| needed <= len),
        "{rows} rows of {columns}, {stride} apart, in {len} elements"
    );
}
