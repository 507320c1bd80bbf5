//! Weights in f32, in the order in which the inner loop reads them.

use std::ops::Range;

use crate::matrix::MatrixRef;
use crate::rows;
use crate::simd::{LANES, Native, Vector};
use crate::strip::STRIP_PANELS;
use crate::tile::{ColumnStep, STEPS, TILE_COLUMNS};

/// A matrix `[outputs, inputs]`.
///
/// A panel is eight outputs, and four panels are a strip; the last one is filled up with zeros. [`STEPS`] inputs of all panels lie together, then
/// the next ones, the last of them perhaps fewer; there, panels lie one after another, and each holds, input by
/// input, the weights of its eight outputs. So what is read for one block of a product is all that is read. In
/// memory that is `4 · inputs · (outputs rounded up to 32)` bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Panels {
    outputs: usize,
    inputs: usize,
    steps: Vec<ColumnStep>,
}

/// Panels for so many outputs, in whole strips.
pub(crate) fn panels_of(outputs: usize) -> usize {
    outputs
        .div_ceil(TILE_COLUMNS)
        .next_multiple_of(STRIP_PANELS)
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
        let steps = panels_of(outputs).checked_mul(inputs);
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
            let together = (STEPS - input % STEPS).min(self.inputs - input);
            let (part, rest) = values.split_at(values.len().min(together));
            let lane = output % TILE_COLUMNS;
            let first = self.place(output / TILE_COLUMNS, input);
            for (step, &value) in self.steps[first..].iter_mut().zip(part) {
                step.0[lane / 4][lane % 4] = value;
            }
            at += part.len();
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
        for (part, first) in row.chunks_mut(STEPS).zip((0..).step_by(STEPS)) {
            let steps = &self.steps[self.place(panel, first)..];
            for (value, step) in part.iter_mut().zip(steps) {
                *value = step.0[lane / 4][lane % 4];
            }
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
            for input in (0..inputs).step_by(STEPS) {
                let place = self.place(panel, input);
                let together = STEPS.min(inputs - input);
                let rows = rows.map(|row| &row[input..][..together]);
                let (fours, rest) = self.steps[place..][..together].as_chunks_mut::<LANES>();
                for (rows, to) in rows::fours(rows).zip(fours) {
                    for (column, to) in Native::transposed(rows).into_iter().zip(to) {
                        column.store(&mut to.0[half]);
                    }
                }
                for (input, to) in (together - rest.len()..).zip(rest) {
                    to.0[half] = rows.map(|row| row[input]);
                }
            }
        }
        for output in whole..outputs {
            self.fill(output * inputs, weights.row(output));
        }
    }

    /// Where a panel's step for this input lies.
    #[inline(always)]
    fn place(&self, panel: usize, input: usize) -> usize {
        let first = input - input % STEPS;
        first * panels_of(self.outputs) + panel * STEPS.min(self.inputs - first) + input % STEPS
    }

    /// The steps of these panels, one after another, for the inputs from `first` on that lie together.
    ///
    /// # Panics
    ///
    /// When `first` is no multiple of [`STEPS`], or there are no such panels and inputs.
    #[inline(always)]
    pub(crate) fn together(&self, panels: Range<usize>, first: usize) -> &[ColumnStep] {
        assert!(first.is_multiple_of(STEPS), "input {first}");
        let steps = STEPS.min(self.inputs - first);
        &self.steps[self.place(panels.start, first)..][..panels.len() * steps]
    }
}
