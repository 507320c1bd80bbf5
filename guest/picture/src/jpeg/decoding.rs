//! The data of a scan, and the order of its blocks (T.81, A.2).

use super::bits::Bits;
use super::block;
use super::coefficients::Coefficients;
use super::frame::{Component, Frame};
use super::huffman::Table;
use super::idct;
use super::markers::Tables;
use super::progressive;
use super::refusal::Refusal;
use super::scan::Scan;
use super::strip::Strip;

/// Ways of coding a block.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Sequential,
    DcFirst,
    DcRefined,
    AcFirst,
    AcRefined,
}

/// A scan that is being decoded.
pub(super) struct Decoding<'f, 'a> {
    units: [usize; 2],
    mode: Mode,
    band: [usize; 2],
    low: u8,
    parts: Vec<DecodingPart<'f>>,
    bits: Bits<'a>,
    /// Blocks that have nothing more of this band.
    end_of_bands: u32,
    restart_interval: usize,
    until_restart: usize,
    next_restart: usize,
}

struct DecodingPart<'f> {
    index: usize,
    component: &'f Component,
    dc: Option<&'f Table>,
    ac: Option<&'f Table>,
    /// The last block's DC coefficient.
    prediction: i32,
}

impl<'f, 'a> Decoding<'f, 'a> {
    /// Gets ready to decode the data after the header of `scan`.
    pub(super) fn new(
        scan: &Scan,
        frame: &'f Frame,
        tables: &'f Tables,
        data: &'a [u8],
    ) -> Result<Self, Refusal> {
        let mode = match (frame.is_progressive, scan.band[0], scan.bits[0]) {
            (false, ..) => Mode::Sequential,
            (true, 0, 0) => Mode::DcFirst,
            (true, 0, _) => Mode::DcRefined,
            (true, _, 0) => Mode::AcFirst,
            (true, ..) => Mode::AcRefined,
        };
        let needs_dc = matches!(mode, Mode::Sequential | Mode::DcFirst);
        let needs_ac = matches!(mode, Mode::Sequential | Mode::AcFirst | Mode::AcRefined);
        let mut parts = Vec::with_capacity(scan.components.len());
        for part in &scan.components {
            let (dc, ac) = (tables.dc[part.dc].as_deref(), tables.ac[part.ac].as_deref());
            if (needs_dc && dc.is_none()) || (needs_ac && ac.is_none()) {
                return Err(Refusal::Broken("no Huffman table"));
            }
            parts.push(DecodingPart {
                index: part.index,
                component: &frame.components[part.index],
                dc,
                ac,
                prediction: 0,
            });
        }
        Ok(Self {
            units: frame.units,
            mode,
            band: scan.band,
            low: scan.bits[1],
            parts,
            bits: Bits::new(data),
            end_of_bands: 0,
            restart_interval: tables.restart_interval,
            until_restart: tables.restart_interval,
            next_restart: 0,
        })
    }

    /// Decodes a row of interleaved units of a sequential scan that holds all components, to samples.
    pub(super) fn sequential_row(
        &mut self,
        row: usize,
        strips: &mut [Strip],
    ) -> Result<(), Refusal> {
        for unit in 0..self.units[0] {
            self.begin_unit()?;
            for part in &mut self.parts {
                let (Some(dc), Some(ac), Some(table)) =
                    (part.dc, part.ac, &part.component.quantisation)
                else {
                    return Err(Refusal::Broken("no tables"));
                };
                let strip = &mut strips[part.index];
                let [across, down] = part.component.factors;
                for y in 0..down {
                    for x in 0..across {
                        let mut block = [0; 64];
                        block::sequential(
                            &mut self.bits,
                            dc,
                            ac,
                            &mut part.prediction,
                            &mut block,
                        )?;
                        let (samples, stride) = strip.block_mut(row, unit * across + x, y);
                        idct::block(&block, table, samples, stride);
                    }
                }
            }
        }
        self.bits.check()
    }

    /// Decodes the whole scan. Returns the bytes after it.
    pub(super) fn run(mut self, coefficients: &mut Coefficients) -> Result<&'a [u8], Refusal> {
        if let [part] = &self.parts[..] {
            let (index, [across, down]) = (part.index, part.component.blocks);
            for row in 0..down {
                for column in 0..across {
                    self.begin_unit()?;
                    self.block(0, coefficients.block_mut(index, row, column))?;
                }
                self.bits.check()?;
            }
            return Ok(self.bits.rest());
        }
        let [across, down] = self.units;
        for row in 0..down {
            for column in 0..across {
                self.begin_unit()?;
                for part in 0..self.parts.len() {
                    let index = self.parts[part].index;
                    let [wide, high] = self.parts[part].component.factors;
                    for y in 0..high {
                        for x in 0..wide {
                            let (row, column) = (row * high + y, column * wide + x);
                            self.block(part, coefficients.block_mut(index, row, column))?;
                        }
                    }
                }
            }
            self.bits.check()?;
        }
        Ok(self.bits.rest())
    }

    fn begin_unit(&mut self) -> Result<(), Refusal> {
        if self.restart_interval == 0 {
            return Ok(());
        }
        if self.until_restart == 0 {
            self.bits.restart(self.next_restart)?;
            self.next_restart = (self.next_restart + 1) % 8;
            self.until_restart = self.restart_interval;
            self.end_of_bands = 0;
            for part in &mut self.parts {
                part.prediction = 0;
            }
        }
        self.until_restart -= 1;
        Ok(())
    }

    fn block(&mut self, part: usize, block: &mut [i16; 64]) -> Result<(), Refusal> {
        const NO_TABLE: Refusal = Refusal::Broken("no Huffman table");
        let part = &mut self.parts[part];
        let (bits, low) = (&mut self.bits, self.low);
        let dc = || part.dc.ok_or(NO_TABLE);
        let ac = || part.ac.ok_or(NO_TABLE);
        match self.mode {
            Mode::Sequential => block::sequential(bits, dc()?, ac()?, &mut part.prediction, block),
            Mode::DcFirst => progressive::dc_first(bits, dc()?, &mut part.prediction, low, block),
            Mode::DcRefined => {
                progressive::dc_refined(bits, low, block);
                Ok(())
            }
            Mode::AcFirst => {
                progressive::ac_first(bits, ac()?, &mut self.end_of_bands, self.band, low, block)
            }
            Mode::AcRefined => {
                progressive::ac_refined(bits, ac()?, &mut self.end_of_bands, self.band, low, block)
            }
        }
    }
}
