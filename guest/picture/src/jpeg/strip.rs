//! The latest samples of a component, a few rows of units of them.

use super::frame::Component;

/// Rows of units that are kept: interpolation looks at the row of samples above and below.
const KEPT: usize = 3;

/// The latest samples of a component.
pub(super) struct Strip {
    samples: Vec<u8>,
    /// Samples from one row to the next.
    stride: usize,
    /// Rows of samples of a unit.
    rows: usize,
}

impl Strip {
    pub(super) fn new(component: &Component) -> Self {
        let (stride, rows) = (8 * component.padded[0], 8 * component.factors[1]);
        Self {
            samples: vec![0; stride * rows * KEPT],
            stride,
            rows,
        }
    }

    /// Returns the place of a block's samples and the distance of its rows: of column `x` of the component's blocks,
    /// and row `y` of those of a row of units.
    #[inline(always)]
    pub(super) fn block_mut(&mut self, unit_row: usize, x: usize, y: usize) -> (&mut [u8], usize) {
        let row = unit_row % KEPT * self.rows + 8 * y;
        let start = row * self.stride + 8 * x;
        // The last row of a block ends before the next row of the strip begins.
        let end = start + 7 * self.stride + 8;
        (&mut self.samples[start..end], self.stride)
    }

    /// Returns a row of samples, counted over the whole component.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        &self.samples[y % (KEPT * self.rows) * self.stride..][..self.stride]
    }
}
