//! Coefficients of a picture whose components, or bits, come in several scans.

use super::frame::Frame;
use super::idct;
use super::refusal::Refusal;
use super::scan::Scan;
use super::strip::Strip;

/// The most blocks that the scans of a file go through, all together. The largest pictures that guests take
/// have a million of them, and the encoders' scripts go through each some five times. A file of a few bytes
/// a scan could otherwise keep a decoder busy for hours.
const MAX_BLOCKS: usize = 32 << 20;

/// Coefficients of every block, quantised.
pub(super) struct Coefficients {
    components: Vec<Blocks>,
    /// Blocks that scans may still go through.
    budget: usize,
}

struct Blocks {
    /// 64 of each block, row by row; blocks row by row.
    values: Vec<i16>,
    across: usize,
    /// The lowest bit of each coefficient that a scan has given, by its place in a file; none before the
    /// first.
    bits: [Option<u8>; 64],
}

impl Coefficients {
    pub(super) fn new(frame: &Frame) -> Self {
        let blocks = |[across, down]: [usize; 2]| Blocks {
            values: vec![0; 64 * across * down],
            across,
            bits: [None; 64],
        };
        let components = frame.components.iter();
        Self {
            components: components.map(|c| blocks(c.padded)).collect(),
            budget: MAX_BLOCKS,
        }
    }

    /// Registers the bits that a scan will give.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when earlier scans gave them, or did not give the bits above them, or there were too many scans.
    pub(super) fn admit(&mut self, frame: &Frame, scan: &Scan) -> Result<(), Refusal> {
        self.budget = self
            .budget
            .checked_sub(scan.blocks(frame))
            .ok_or(Refusal::TooManyScans)?;
        let ([start, end], [high, low]) = (scan.band, scan.bits);
        for part in &scan.components {
            for known in &mut self.components[part.index].bits[start..=end] {
                if known.unwrap_or(0) != high || (known.is_some() && high == 0) {
                    return Err(Refusal::Broken("scans that do not follow each other"));
                }
                *known = Some(low);
            }
        }
        Ok(())
    }

    /// Tells whether scans have given all bits of all coefficients.
    pub(super) fn is_complete(&self) -> bool {
        let mut bits = self.components.iter().flat_map(|blocks| blocks.bits);
        bits.all(|known| known == Some(0))
    }

    pub(super) fn block_mut(
        &mut self,
        component: usize,
        row: usize,
        column: usize,
    ) -> &mut [i16; 64] {
        let blocks = &mut self.components[component];
        &mut blocks.values.as_chunks_mut().0[row * blocks.across + column]
    }

    /// Transforms a row of units to samples.
    pub(super) fn render(
        &self,
        frame: &Frame,
        row: usize,
        strips: &mut [Strip],
    ) -> Result<(), Refusal> {
        for ((blocks, component), strip) in
            self.components.iter().zip(&frame.components).zip(strips)
        {
            let Some(table) = &component.quantisation else {
                return Err(Refusal::Broken("no quantisation table"));
            };
            let all = blocks.values.as_chunks::<64>().0;
            for y in 0..component.factors[1] {
                let first = (row * component.factors[1] + y) * blocks.across;
                for (x, block) in all[first..][..blocks.across].iter().enumerate() {
                    let (samples, stride) = strip.block_mut(row, x, y);
                    idct::block(block, table, samples, stride);
                }
            }
        }
        Ok(())
    }
}
