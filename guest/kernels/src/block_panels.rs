//! Panels of blocks: the layout of matrices that keep a scale for each block of inputs.

use crate::blocks::tile::TILE_COLUMNS;

/// A matrix `[outputs, inputs]` in blocks `B`, each of `INPUTS` inputs of [`TILE_COLUMNS`] outputs: inputs up to whole
/// blocks, outputs up to whole panels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BlockPanels<B, const INPUTS: usize> {
    outputs: usize,
    inputs: usize,
    /// Blocks in a panel.
    depth: usize,
    /// Panel by panel.
    blocks: Vec<B>,
}

impl<B: Clone, const INPUTS: usize> BlockPanels<B, INPUTS> {
    /// Makes a matrix of blocks that are all `zero`.
    ///
    /// # Panics
    ///
    /// When the blocks cannot be counted.
    pub(crate) fn filled(outputs: usize, inputs: usize, zero: B) -> Self {
        let depth = inputs.div_ceil(INPUTS);
        let blocks = outputs.div_ceil(TILE_COLUMNS).checked_mul(depth);
        assert!(blocks.is_some(), "a matrix of {outputs} × {inputs}");
        BlockPanels {
            outputs,
            inputs,
            depth,
            blocks: vec![zero; blocks.unwrap_or(0)],
        }
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.blocks.as_slice())
    }

    /// Returns the number of blocks in a panel.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the number of panels.
    pub(crate) fn panels(&self) -> usize {
        self.blocks.len() / self.depth.max(1)
    }

    /// Returns the blocks of a panel.
    #[inline(always)]
    pub(crate) fn panel(&self, panel: usize) -> &[B] {
        &self.blocks[panel * self.depth..][..self.depth]
    }

    /// Returns the blocks of an output, and the output's number in them.
    pub(crate) fn of_output(&self, output: usize) -> (&[B], usize) {
        (self.panel(output / TILE_COLUMNS), output % TILE_COLUMNS)
    }

    /// Returns the blocks of an output to be written, and the output's number in them.
    pub(crate) fn of_output_mut(&mut self, output: usize) -> (&mut [B], usize) {
        let first = output / TILE_COLUMNS * self.depth;
        (
            &mut self.blocks[first..][..self.depth],
            output % TILE_COLUMNS,
        )
    }
}
