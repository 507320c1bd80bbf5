//! The order in which the inner loops of f32 read weights, for any number that is kept of them.

use std::ops::Range;

use crate::blocks::strip::STRIP_PANELS;
use crate::blocks::tile::{STEPS, TILE_COLUMNS};

/// The order of a matrix `[outputs, inputs]`, of which a step holds the weights of eight outputs, a panel, for one
/// input.
///
/// The steps of [`STEPS`] inputs lie together, then those of the next inputs; of the last ones there may be fewer.
/// There, one panel lies after another, and a panel input by input. So a block of a product, some panels for the inputs
/// of one turn of the inner loop, is one piece of memory. Panels are in whole strips of four; the outputs that a
/// matrix lacks for that are zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct PanelOrder {
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

/// Panels for so many outputs, in whole strips.
pub(crate) fn panels_of(outputs: usize) -> usize {
    outputs
        .div_ceil(TILE_COLUMNS)
        .next_multiple_of(STRIP_PANELS)
}

impl PanelOrder {
    /// All steps of all panels.
    ///
    /// # Panics
    ///
    /// When they cannot be counted.
    pub(crate) fn steps(&self) -> usize {
        let steps = panels_of(self.outputs).checked_mul(self.inputs);
        assert!(
            steps.is_some(),
            "a matrix of {} × {}",
            self.outputs,
            self.inputs
        );
        steps.unwrap_or(0)
    }

    /// The place of a panel's step for this input. Those of the inputs after it that [lie
    /// together](PanelOrder::inputs_together) follow.
    #[inline(always)]
    pub(crate) fn place(&self, panel: usize, input: usize) -> usize {
        let first = input - input % STEPS;
        let before = first * panels_of(self.outputs);
        before + panel * self.inputs_together(first) + input % STEPS
    }

    /// The inputs from this one on that lie together with it.
    #[inline(always)]
    pub(crate) fn inputs_together(&self, input: usize) -> usize {
        (STEPS - input % STEPS).min(self.inputs - input)
    }

    /// The places of these panels' steps, for the inputs from `first` on that lie together.
    ///
    /// # Panics
    ///
    /// When `first` is no multiple of [`STEPS`], or there are no such panels or inputs.
    #[inline(always)]
    pub(crate) fn together(&self, panels: Range<usize>, first: usize) -> Range<usize> {
        assert!(first.is_multiple_of(STEPS), "input {first}");
        assert!(
            panels.start <= panels.end && panels.end <= panels_of(self.outputs),
            "panels {panels:?} of {} outputs",
            self.outputs
        );
        let start = self.place(panels.start, first);
        start..start + panels.len() * self.inputs_together(first)
    }

    /// Gives `put` a row-major piece of the matrix, from element `start` on, in parts that lie one after another: the
    /// place of the first step, the output's number in its panel, and the elements.
    ///
    /// # Panics
    ///
    /// When the matrix has fewer elements.
    pub(crate) fn each_part(
        &self,
        start: usize,
        mut values: &[f32],
        mut put: impl FnMut(usize, usize, &[f32]),
    ) {
        // The product fits: there is memory for it.
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
            let together = self.inputs_together(input).min(values.len());
            let (part, rest) = values.split_at(together);
            let place = self.place(output / TILE_COLUMNS, input);
            put(place, output % TILE_COLUMNS, part);
            at += part.len();
            values = rest;
        }
    }

    /// The parts of one output, in the same way, but to be written: each with the place of its first step.
    pub(crate) fn parts_of<'a>(
        &self,
        output: usize,
        row: &'a mut [f32],
    ) -> impl Iterator<Item = (usize, &'a mut [f32])> {
        let (order, panel) = (*self, output / TILE_COLUMNS);
        let parts = (0..).step_by(STEPS).zip(row.chunks_mut(STEPS));
        parts.map(move |(input, part)| (order.place(panel, input), part))
    }
}
