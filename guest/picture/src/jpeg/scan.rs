//! Scans: which components and coefficients each holds, and the order of its blocks (T.81, A.2 and B.2.3).

use super::Refusal;
use super::bits::Bits;
use super::block;
use super::coefficients::Coefficients;
use super::frame::{Component, Frame};
use super::huffman::Table;
use super::idct;
use super::markers::Tables;
use super::progressive;
use super::render::Strip;

/// The most blocks of an interleaved unit.
const MAX_BLOCKS_IN_UNIT: usize = 10;

/// A scan's header.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) components: Vec<Part>,
    /// The first and the last coefficient, in the order in which they are stored.
    pub(super) band: [usize; 2],
    /// The lowest bit that earlier scans told, and the lowest that this one tells.
    pub(super) bits: [u8; 2],
}

/// A component of a scan.
#[derive(Debug)]
pub(super) struct Part {
    /// Place in the frame.
    pub(super) index: usize,
    dc: usize,
    ac: usize,
}

impl Scan {
    pub(super) fn read(frame: &Frame, content: &[u8]) -> Result<Self, Refusal> {
        const BROKEN: Refusal = Refusal::Broken("a broken scan header");
        let (&count, rest) = content.split_first().ok_or(BROKEN)?;
        let (parts, rest) = rest
            .split_at_checked(2 * usize::from(count))
            .ok_or(BROKEN)?;
        let &[start, end, approximation] = rest else {
            return Err(BROKEN);
        };
        let mut components: Vec<Part> = Vec::with_capacity(frame.components.len());
        for &[id, tables] in parts.as_chunks().0 {
            // Where several components have one name, each stands for the next of them.
            let is_meant = |index: usize, component: &Component| {
                component.id == id && components.iter().all(|part| part.index != index)
            };
            let mut all = frame.components.iter().enumerate();
            let (index, _) = all
                .find(|(index, component)| is_meant(*index, component))
                .ok_or(BROKEN)?;
            let [dc, ac] = [tables >> 4, tables & 15].map(usize::from);
            if dc > 3 || ac > 3 {
                return Err(BROKEN);
            }
            components.push(Part { index, dc, ac });
        }
        let blocks = |part: &Part| {
            frame.components[part.index]
                .factors
                .iter()
                .product::<usize>()
        };
        let blocks: usize = components.iter().map(blocks).sum();
        if components.is_empty() || (components.len() > 1 && blocks > MAX_BLOCKS_IN_UNIT) {
            return Err(BROKEN);
        }
        let mut scan = Self {
            components,
            band: [usize::from(start), usize::from(end)],
            bits: [approximation >> 4, approximation & 15],
        };
        if frame.is_progressive {
            scan.check_progression().ok_or(BROKEN)?;
        } else {
            (scan.band, scan.bits) = ([0, 63], [0, 0]);
        }
        Ok(scan)
    }

    fn check_progression(&self) -> Option<()> {
        let ([start, end], [high, low]) = (self.band, self.bits);
        let band_fits = match start {
            0 => end == 0,
            _ => (start..64).contains(&end) && self.components.len() == 1,
        };
        let bits_fit = low <= 13 && (high == 0 || low + 1 == high);
        (band_fits && bits_fit).then_some(())
    }

    /// Blocks that the scan goes through.
    pub(super) fn blocks(&self, frame: &Frame) -> usize {
        match &self.components[..] {
            [part] => frame.components[part.index].blocks.iter().product(),
            parts => {
                let padded =
                    |part: &Part| -> usize { frame.components[part.index].padded.iter().product() };
                parts.iter().map(padded).sum()
            }
        }
    }

    /// Gets ready to decode the data after the header.
    pub(super) fn begin<'f, 'a>(
        &self,
        frame: &'f Frame,
        tables: &'f Tables,
        data: &'a [u8],
    ) -> Result<Decoding<'f, 'a>, Refusal> {
        let mode = match (frame.is_progressive, self.band[0], self.bits[0]) {
            (false, ..) => Mode::Sequential,
            (true, 0, 0) => Mode::DcFirst,
            (true, 0, _) => Mode::DcRefined,
            (true, _, 0) => Mode::AcFirst,
            (true, ..) => Mode::AcRefined,
        };
        let needs_dc = matches!(mode, Mode::Sequential | Mode::DcFirst);
        let needs_ac = matches!(mode, Mode::Sequential | Mode::AcFirst | Mode::AcRefined);
        let mut parts = Vec::with_capacity(self.components.len());
        for part in &self.components {
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
        Ok(Decoding {
            units: frame.units,
            mode,
            band: self.band,
            low: self.bits[1],
            parts,
            bits: Bits::new(data),
            end_of_bands: 0,
            restart_interval: tables.restart_interval,
            until_restart: tables.restart_interval,
            next_restart: 0,
        })
    }
}

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

impl<'a> Decoding<'_, 'a> {
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

    /// Decodes the whole scan. Returns what follows it.
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
