//! The order in which the inner loops of f32 read weights, in whatever format they are kept.

use std::ops::Range;

use crate::blocks::strip::STRIP_PANELS;
use crate::blocks::tile::{STEPS, TILE_COLUMNS};

/// The order of a matrix `[outputs, inputs]`. A step holds the weights of eight outputs, which are a panel, for one
/// input.
///
/// The steps of [`STEPS`] inputs lie together, then those of the next inputs; the last inputs may be fewer. Within
/// them one panel lies after another, and each panel input by input. A block of a product (some panels, for the inputs
/// of one turn of the inner loop) is therefore one piece of memory. Panels come in whole strips of four: outputs that
/// the matrix lacks are zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct PanelOrder {
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
}

/// Returns the number of panels for so many outputs, in whole strips.
pub(crate) fn panels_of(outputs: usize) -> usize {
    outputs
        .div_ceil(TILE_COLUMNS)
        .next_multiple_of(STRIP_PANELS)
}

impl PanelOrder {
    /// Returns the number of steps of all panels.
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

    /// Returns the index of a panel's step for this input. The steps of the inputs that [lie
    /// together](PanelOrder::inputs_together) with it follow.
    #[inline(always)]
    pub(crate) fn place(&self, panel: usize, input: usize) -> usize {
        let first = input - input % STEPS;
        let before = first * panels_of(self.outputs);
        before + panel * self.inputs_together(first) + input % STEPS
    }

    /// Returns how many inputs from this one on lie together.
    #[inline(always)]
    pub(crate) fn inputs_together(&self, input: usize) -> usize {
        (STEPS - input % STEPS).min(self.inputs - input)
    }

    /// Returns the indices of these panels' steps, for the inputs from `first` on that lie together.
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

    /// Hands `put` a row-major piece of the matrix, from element `start` on, in parts whose steps follow each other:
    /// the index of the first step, the output's number in its panel, and the elements.
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

    /// Hands out the parts of one output to be written, each with the index of its first step.
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
