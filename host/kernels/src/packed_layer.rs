//! One packed layer: its bias, and its matrix in panels of outputs.

use std::ops::Range;

use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::imports::bindings::ampoule::model::types::Error as GuestError;
use ampoule_sandbox::imports::kernels::{Format, LayerSpec};

use crate::f16_matrix::F16Panel;
use crate::f32_matrix::F32Panel;
use crate::int4_matrix::Int4Panel;
use crate::int4_product::RoundedRow;
use crate::int8_matrix::Int8Panel;
use crate::rows::Rows;
use crate::weights::Weights;

/// Rows that a thread multiplies at once: with one panel two or three milliseconds between two checks of the deadline.
pub(crate) const BLOCK_ROWS: usize = 128;

/// Unit of a panel's outputs: the most that a kernel computes at once.
const PANEL_STEP: usize = 64;

/// Most rows that are multiplied one by one in four bits. For more rows a panel is widened once.
const FEW_ROWS: usize = 4;

/// A layer, packed.
pub(crate) struct PackedLayer {
    inputs: usize,
    /// `[outputs]`.
    bias: Vec<f32>,
    /// Outputs of each panel but the last, which may have fewer.
    width: usize,
    panels: Vec<Panel>,
}

enum Panel {
    F32(F32Panel),
    F16(F16Panel),
    Int8(Int8Panel),
    Int4(Int4Panel),
}

/// Most numbers of one panel.
const PANEL_NUMBERS: usize = 1 << 20;

impl PackedLayer {
    /// Packs the described layer out of the files. Errors: `kernels.layer`, `asset.*`.
    pub(crate) fn pack(spec: &LayerSpec, files: &AssetFiles) -> Result<Self, GuestError> {
        let weights = Weights::open(spec, files)?;
        let (inputs, outputs) = (spec.inputs(), spec.outputs());
        let width = (PANEL_NUMBERS / inputs / PANEL_STEP * PANEL_STEP)
            .clamp(PANEL_STEP, outputs.next_multiple_of(PANEL_STEP));
        let panels = (0..outputs)
            .step_by(width)
            .map(|first| {
                let outputs = first..(first + width).min(outputs);
                match spec.format() {
                    Format::F32 => Panel::F32(F32Panel::pack(&weights, outputs, inputs)),
                    Format::F16 => Panel::F16(F16Panel::pack(&weights, outputs)),
                    Format::Int8 => Panel::Int8(Int8Panel::pack(&weights, outputs, inputs)),
                    Format::Int4 => Panel::Int4(Int4Panel::pack(&weights, outputs, inputs)),
                }
            })
            .collect();
        Ok(Self {
            inputs,
            bias: weights.bias,
            width,
            panels,
        })
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Returns the outputs of each panel but the last.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn panels(&self) -> usize {
        self.panels.len()
    }

    /// Returns the range of a panel's outputs.
    pub(crate) fn outputs_of(&self, panel: usize) -> Range<usize> {
        let first = panel * self.width;
        first..(first + self.width).min(self.outputs())
    }

    /// Returns the numbers of a widened panel; 0 for a format that is not widened.
    pub(crate) fn widened(&self) -> usize {
        match self.panels.first() {
            Some(Panel::F16(_) | Panel::Int4(_)) => self.inputs * self.width,
            _ => 0,
        }
    }

    /// Returns the memory of the bias and the panels.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let panels = self.panels.iter().map(|panel| match panel {
            Panel::F32(matrix) => matrix.bytes(),
            Panel::F16(matrix) => matrix.bytes(),
            Panel::Int8(matrix) => matrix.bytes(),
            Panel::Int4(matrix) => matrix.bytes(),
        });
        panels.sum::<usize>() + self.bias.len() * 4
    }

    /// Rounds rows to bytes, if they are few and the layer is in four bits; otherwise returns none. The product is
    /// twice as fast, and the error is a twentieth of that of four bits.
    pub(crate) fn rounded(&self, x: Rows<'_>) -> Vec<RoundedRow> {
        let is_wanted =
            x.count() <= FEW_ROWS && matches!(self.panels.first(), Some(Panel::Int4(_)));
        let rows = is_wanted.then(|| x.iter().map(RoundedRow::new).collect::<Option<_>>());
        rows.flatten().unwrap_or_default()
    }

    /// Computes the outputs of one panel, `[rows, outputs]`. `rounded` are the rows `x` as bytes, or none.
    pub(crate) fn multiply(
        &self,
        panel: usize,
        x: Rows<'_>,
        rounded: &[RoundedRow],
        y: &mut [f32],
    ) -> wasmtime::Result<()> {
        let bias = &self.bias[self.outputs_of(panel)];
        match &self.panels[panel] {
            Panel::F32(matrix) => matrix.multiply(x, bias, y),
            Panel::F16(matrix) => matrix.multiply(x, bias, y),
            Panel::Int8(matrix) => matrix.multiply(x, bias, y),
            Panel::Int4(matrix) => matrix.multiply(x, rounded, bias, y),
        }
    }
}
