//! From blocks of samples to rows of pixels, a row of units at a time.

use super::colours;
use super::frame::Frame;
use super::refusal::Refusal;
use super::strip::Strip;
use super::upsample::Upsampling;

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

    /// Makes the pixels of a row of units, once the next row is there too.
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
            colours::convert(frame.colours, samples, line);
        }
    }
}
