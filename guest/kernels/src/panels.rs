//! Weights in f32, in the order in which the inner loop reads them.

use std::ops::Range;

use crate::matrix::MatrixRef;
use crate::rows;
use crate::simd::{LANES, Native, Vector};
use crate::tile::{ColumnStep, TILE_COLUMNS};

/// A matrix `[outputs, inputs]`.
///
/// Panels of eight outputs lie one after another; a panel holds, input by input, the weights of its
/// eight outputs. The last panel is filled up with zeros. In memory that is
/// `4 · inputs · (outputs rounded up to 8)` bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Panels {
    outputs: usize,
    inputs: usize,
    /// Panel by panel.
    steps: Vec<ColumnStep>,
}

impl Panels {
    /// A matrix of zeros, to be [filled](Panels::fill).
    ///
    /// # Panics
    ///
    /// When it is too large to be addressed.
    pub(crate) fn zeros(outputs: usize, inputs: usize) -> Self {
        let mut packed = Panels::default();
        packed.clear(outputs, inputs);
        packed
    }

    /// Makes this a matrix of zeros of another shape, in the memory that it has.
    fn clear(&mut self, outputs: usize, inputs: usize) {
        let steps = outputs.div_ceil(TILE_COLUMNS).checked_mul(inputs);
        assert!(steps.is_some(), "a matrix of {outputs} × {inputs}");
        self.outputs = outputs;
        self.inputs = inputs;
        self.steps.clear();
        self.steps.resize(steps.unwrap_or(0), ColumnStep::ZERO);
    }

    /// How many outputs it has: rows as the weights are usually stored.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// How many inputs it has: columns as the weights are usually stored.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// How many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.steps.as_slice())
    }

    /// Puts `values` at their place: the row-major elements `[outputs, inputs]` from element
    /// `start` on. So weights can be packed as they are read, a piece at a time, and several
    /// matrices with the same inputs can be packed as one.
    ///
    /// # Panics
    ///
    /// When there are not that many elements.
    pub(crate) fn fill(&mut self, start: usize, mut values: &[f32]) {
        // The product fits: that much memory was there to be cleared.
        let elements = self.outputs * self.inputs;
        assert!(
            start <= elements && values.len() <= elements - start,
            "{} elements from {start} on in a matrix of {} × {}",
            values.len(),
            self.outputs,
            self.inputs
        );
        let mut at = start;
        while !values.is_empty() {
            let (output, input) = (at / self.inputs, at % self.inputs);
            let (row, rest) = values.split_at(values.len().min(self.inputs - input));
            let lane = output % TILE_COLUMNS;
            let first = output / TILE_COLUMNS * self.inputs + input;
            for (step, &value) in self.steps[first..].iter_mut().zip(row) {
                step.0[lane / 4][lane % 4] = value;
            }
            at += row.len();
            values = rest;
        }
    }

    /// Writes the weights of one output, as they were before packing, to `row` `[inputs]`: so that a
    /// table which is both looked up and multiplied with is there once.
    ///
    /// # Panics
    ///
    /// When there is no such output, or `row` has another length.
    pub(crate) fn unpack(&self, output: usize, row: &mut [f32]) {
        assert!(output < self.outputs, "output {output} of {}", self.outputs);
        assert_eq!(row.len(), self.inputs, "inputs");
        let (panel, lane) = (output / TILE_COLUMNS, output % TILE_COLUMNS);
        for (value, step) in row.iter_mut().zip(&self.steps[panel * self.inputs..]) {
            *value = step.0[lane / 4][lane % 4];
        }
    }

    /// Packs `weights`, given as `[outputs, inputs]`, in place of what it was before.
    pub(crate) fn pack(&mut self, weights: MatrixRef<'_>) {
        let (outputs, inputs) = (weights.rows(), weights.columns());
        self.clear(outputs, inputs);
        let whole = outputs - outputs % TILE_COLUMNS;
        for first in (0..whole).step_by(LANES) {
            let (panel, half) = (first / TILE_COLUMNS, first / LANES % 2);
            let rows: [_; LANES] = std::array::from_fn(|i| weights.row(first + i));
            let steps = &mut self.steps[panel * inputs..][..inputs];
            let (fours, rest) = steps.as_chunks_mut::<LANES>();
            for (rows, to) in rows::fours(rows).zip(fours) {
                for (column, to) in Native::transposed(rows).into_iter().zip(to) {
                    column.store(&mut to.0[half]);
                }
            }
            for (input, to) in (inputs - rest.len()..).zip(rest) {
                to.0[half] = rows.map(|row| row[input]);
            }
        }
        for output in whole..outputs {
            self.fill(output * inputs, weights.row(output));
        }
    }

    /// These inputs of the panel.
    #[inline(always)]
    pub(crate) fn steps(&self, panel: usize, inputs: Range<usize>) -> &[ColumnStep] {
        &self.steps[panel * self.inputs..][..self.inputs][inputs]
    }
}
