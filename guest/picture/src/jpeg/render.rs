//! From blocks of samples to rows of pixels, a row of units at a time.

use super::Refusal;
use super::colour;
use super::frame::{Component, Frame};
use super::upsample::Upsampling;

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
    fn new(component: &Component) -> Self {
        let (stride, rows) = (8 * component.padded[0], 8 * component.factors[1]);
        Self {
            samples: vec![0; stride * rows * KEPT],
            stride,
            rows,
        }
    }

    /// The place of a block's samples: of column `x` of the component's blocks, and row `y` of those of a
    /// row of units. With it comes the distance of its rows.
    #[inline(always)]
    pub(super) fn block_mut(&mut self, unit_row: usize, x: usize, y: usize) -> (&mut [u8], usize) {
        let row = unit_row % KEPT * self.rows + 8 * y;
        let start = row * self.stride + 8 * x;
        // The last row of a block ends before the next row of the strip begins.
        let end = start + 7 * self.stride + 8;
        (&mut self.samples[start..end], self.stride)
    }

    /// A row of samples, of the whole component's.
    pub(super) fn row(&self, y: usize) -> &[u8] {
        &self.samples[y % (KEPT * self.rows) * self.stride..][..self.stride]
    }
}

/// A picture in the making.
pub(super) struct Renderer<'f> {
    frame: &'f Frame,
    strips: Vec<Strip>,
    upsamplings: Vec<Upsampling>,
    pixels: Vec<u8>,
}

impl<'f> Renderer<'f> {
    pub(super) fn new(frame: &'f Frame) -> Self {
        let components = frame.components.iter();
        Self {
            frame,
            strips: components.clone().map(Strip::new).collect(),
            upsamplings: components.map(|c| Upsampling::new(c, frame.most)).collect(),
            pixels: vec![0; 3 * frame.width * frame.height],
        }
    }

    /// Makes the picture of the rows of units that `decode` puts into strips, one after another.
    pub(super) fn run(
        mut self,
        mut decode: impl FnMut(usize, &mut [Strip]) -> Result<(), Refusal>,
    ) -> Result<Vec<u8>, Refusal> {
        let rows = self.frame.units[1];
        for row in 0..rows {
            decode(row, &mut self.strips)?;
            if row > 0 {
                self.show(row - 1);
            }
        }
        self.show(rows - 1);
        Ok(self.pixels)
    }

    /// Makes the pixels of a row of units, when the next is there too.
    fn show(&mut self, unit_row: usize) {
        let frame = self.frame;
        let rows = 8 * frame.most[1];
        let length = 3 * frame.width;
        let lines = self.pixels.chunks_exact_mut(length).enumerate();
        for (y, line) in lines.skip(unit_row * rows).take(rows) {
            let mut samples: [&[u8]; 4] = [&[]; 4];
            let parts = self.upsamplings.iter_mut().zip(&self.strips);
            for (row, (upsampling, strip)) in samples.iter_mut().zip(parts) {
                *row = upsampling.row(strip, y);
            }
            colour::convert(frame.colours, samples, line);
        }
    }
}
