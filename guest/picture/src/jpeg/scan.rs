//! Headers of scans: components and coefficients that a scan holds (T.81, B.2.3).

use super::frame::{Component, Frame};
use super::markers::Tables;
use super::refusal::Refusal;

/// The most blocks of an interleaved unit.
const MAX_BLOCKS_IN_UNIT: usize = 10;

/// A scan's header.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) components: Vec<Part>,
    /// The first and the last coefficient, in the order in which they are stored.
    pub(super) band: [usize; 2],
    /// The lowest bit that earlier scans gave, and the lowest that this one gives.
    pub(super) bits: [u8; 2],
}

/// A component of a scan.
#[derive(Debug)]
pub(super) struct Part {
    /// Place in the frame.
    pub(super) index: usize,
    /// Numbers of its Huffman tables.
    pub(super) dc: usize,
    pub(super) ac: usize,
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

    /// Returns how many blocks the scan goes through.
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

    /// Keeps the quantisation tables of the components that begin with this scan; a table that is defined anew
    /// later is not theirs.
    pub(super) fn latch_quantisation(
        &self,
        frame: &mut Frame,
        tables: &Tables,
    ) -> Result<(), Refusal> {
        for part in &self.components {
            let component = &mut frame.components[part.index];
            if component.quantisation.is_none() {
                let table = tables.quantisation[component.table];
                let table = table.ok_or(Refusal::Broken("no quantisation table"))?;
                component.quantisation = Some(table);
            }
        }
        Ok(())
    }
}
