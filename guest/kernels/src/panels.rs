//! Weights in f32, in the order in which the inner loop reads them.

use std::ops::Range;

use crate::blocks::tile::{ColumnStep, STEPS, TILE_COLUMNS};
use crate::matrix::MatrixRef;
use crate::panel_order::PanelOrder;
use crate::rows;
use crate::simd::{LANES, Native, Vector};

/// A matrix `[outputs, inputs]`: `4 · inputs · (outputs rounded up to 32)` bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Panels {
    order: PanelOrder,
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
        self.order = PanelOrder { outputs, inputs };
        self.steps.clear();
        self.steps.resize(self.order.steps(), ColumnStep::ZERO);
    }

    /// Returns the number of outputs: rows as the weights are usually stored.
    pub(crate) fn outputs(&self) -> usize {
        self.order.outputs
    }

    /// Returns the number of inputs: columns as the weights are usually stored.
    pub(crate) fn inputs(&self) -> usize {
        self.order.inputs
    }

    /// Returns how many bytes of memory the matrix takes.
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
    pub(crate) fn fill(&mut self, start: usize, values: &[f32]) {
        self.order.each_part(start, values, |first, lane, part| {
            for (step, &value) in self.steps[first..].iter_mut().zip(part) {
                step.0[lane / 4][lane % 4] = value;
            }
        });
    }

    /// Writes the weights of one output, as they were before packing, to `row` `[inputs]`: so that a
    /// table which is both looked up and multiplied with is there once.
    ///
    /// # Panics
    ///
    /// When there is no such output, or `row` has another length.
    pub(crate) fn unpack(&self, output: usize, row: &mut [f32]) {
        assert!(
            output < self.outputs(),
            "output {output} of {}",
            self.outputs()
        );
        assert_eq!(row.len(), self.inputs(), "inputs");
        let lane = output % TILE_COLUMNS;
        for (first, part) in self.order.parts_of(output, row) {
            for (value, step) in part.iter_mut().zip(&self.steps[first..]) {
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
                let place = self.order.place(panel, input);
                let together = self.order.inputs_together(input);
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

    /// The steps of these panels, one after another, for the inputs from `first` on that lie together.
    ///
    /// # Panics
    ///
    /// When `first` is no multiple of [`STEPS`], or there are no such panels or inputs.
    #[inline(always)]
    pub(crate) fn together(&self, panels: Range<usize>, first: usize) -> &[ColumnStep] {
        &self.steps[self.order.together(panels, first)]
    }
}
