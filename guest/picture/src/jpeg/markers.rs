//! Segments of a file, and the tables that they hold (T.81, annex B).

use super::colour_hints::Hints;
use super::frame::Kind;
use super::huffman::{Class, Table};
use super::marker_code::next_marker;
use super::refusal::Refusal;
use super::standard_tables;
use super::zigzag::ZIGZAG;

/// Kinds of segments, as far as this decoder tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Frame(Kind),
    HuffmanTables,
    QuantisationTables,
    RestartInterval,
    Scan,
    End,
    App(u8),
    Other,
}

/// A file, read segment by segment.
pub(super) struct Segments<'a> {
    rest: &'a [u8],
    at_end_marker: bool,
}

impl<'a> Segments<'a> {
    pub(super) fn new(file: &'a [u8]) -> Result<Self, Refusal> {
        let rest = file
            .strip_prefix(b"\xff\xd8")
            .ok_or(Refusal::Broken("another first marker than JPEG's"))?;
        Ok(Self {
            rest,
            at_end_marker: false,
        })
    }

    /// Returns the bytes that follow the last segment.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Continues after a scan's data.
    pub(super) fn set_rest(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// Tells whether reading has come to the marker that ends a picture.
    pub(super) fn at_end_marker(&self) -> bool {
        self.at_end_marker
    }

    /// Returns the next marker and the content of its segment; none where the file ends.
    pub(super) fn next(&mut self) -> Result<Option<(Marker, &'a [u8])>, Refusal> {
        loop {
            let Some((code, rest)) = next_marker(self.rest) else {
                return Ok(None);
            };
            self.rest = rest;
            let marker = match code {
                // A restart marker, or one for private use, out of place: neither has a length.
                0x01 | 0xd0..=0xd7 => continue,
                0xd8 => return Err(Refusal::Broken("a second start inside of the picture")),
                0xd9 => {
                    self.at_end_marker = true;
                    return Ok(Some((Marker::End, &[])));
                }
                0xc0 | 0xc1 => Marker::Frame(Kind::Sequential),
                0xc2 => Marker::Frame(Kind::Progressive),
                0xc3 => return Err(Refusal::Kind("a lossless one")),
                0xc5..=0xc7 | 0xde | 0xdf => return Err(Refusal::Kind("a hierarchical one")),
                0xc8 => return Err(Refusal::Kind("one of an unknown extension")),
                0xc9 | 0xca | 0xcc => return Err(Refusal::Kind("an arithmetic-coded one")),
                0xcb => return Err(Refusal::Kind("a lossless, arithmetic-coded one")),
                0xcd..=0xcf => return Err(Refusal::Kind("a hierarchical, arithmetic-coded one")),
                0xf7 => return Err(Refusal::Kind("a JPEG-LS one")),
                0xc4 => Marker::HuffmanTables,
                0xdb => Marker::QuantisationTables,
                0xdd => Marker::RestartInterval,
                0xda => Marker::Scan,
                0xe0..=0xef => Marker::App(code - 0xe0),
                // A comment, and the height again after it was told.
                0xfe | 0xdc => Marker::Other,
                _ => return Err(Refusal::Broken("a marker that means nothing")),
            };
            let (length, _) = rest.split_first_chunk().ok_or(Refusal::CutShort)?;
            let length = usize::from(u16::from_be_bytes(*length));
            if length < 2 {
                return Err(Refusal::Broken("a segment shorter than its own length"));
            }
            let segment;
            (segment, self.rest) = rest.split_at_checked(length).ok_or(Refusal::CutShort)?;
            return Ok(Some((marker, &segment[2..])));
        }
    }
}

/// The tables and settings that are in force for the next scan.
#[derive(Default)]
pub(super) struct Tables {
    /// In the order of rows.
    pub(super) quantisation: [Option<[u16; 64]>; 4],
    pub(super) dc: [Option<Box<Table>>; 4],
    pub(super) ac: [Option<Box<Table>>; 4],
    /// Units between two restart markers; 0 where there are none.
    pub(super) restart_interval: usize,
    pub(super) hints: Hints,
}

impl Tables {
    /// Takes a segment's tables and settings; a segment that is not about decoding changes nothing.
    pub(super) fn read(&mut self, marker: Marker, content: &[u8]) -> Result<(), Refusal> {
        match marker {
            Marker::QuantisationTables => self.read_quantisation(content),
            Marker::HuffmanTables => self.read_huffman(content),
            Marker::RestartInterval => {
                let interval: &[u8; 2] = content
                    .try_into()
                    .map_err(|_| Refusal::Broken("a restart interval of a wrong length"))?;
                self.restart_interval = usize::from(u16::from_be_bytes(*interval));
                Ok(())
            }
            Marker::App(number) => {
                self.hints.read(number, content);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn read_quantisation(&mut self, mut content: &[u8]) -> Result<(), Refusal> {
        const BROKEN: Refusal = Refusal::Broken("a broken quantisation table");
        while let Some((&head, rest)) = content.split_first() {
            let width = match head >> 4 {
                0 => 1,
                _ => 2,
            };
            let (values, rest) = rest.split_at_checked(64 * width).ok_or(BROKEN)?;
            let table = self
                .quantisation
                .get_mut(usize::from(head & 15))
                .ok_or(BROKEN)?;
            let mut ordered = [0; 64];
            for (value, &place) in values.chunks_exact(width).zip(&ZIGZAG) {
                let number = value.iter().fold(0, |n, &byte| n << 8 | u16::from(byte));
                ordered[usize::from(place)] = number;
            }
            *table = Some(ordered);
            content = rest;
        }
        Ok(())
    }

    fn read_huffman(&mut self, mut content: &[u8]) -> Result<(), Refusal> {
        const BROKEN: Refusal = Refusal::Broken("a broken Huffman table");
        while let Some((&head, rest)) = content.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>().ok_or(BROKEN)?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols).ok_or(BROKEN)?;
            let (tables, class) = match head >> 4 {
                0 => (&mut self.dc, Class::Dc),
                1 => (&mut self.ac, Class::Ac),
                _ => return Err(BROKEN),
            };
            let slot = tables.get_mut(usize::from(head & 15)).ok_or(BROKEN)?;
            *slot = Some(Box::new(Table::new(class, counts, symbols).ok_or(BROKEN)?));
            content = rest;
        }
        Ok(())
    }

    /// Puts the standard's own tables where a file has none: webcams leave them out.
    pub(super) fn add_standard_huffman_tables(&mut self) {
        for (number, [dc, ac]) in standard_tables::TABLES.iter().enumerate() {
            for (slot, class, table) in [
                (&mut self.dc[number], Class::Dc, dc),
                (&mut self.ac[number], Class::Ac, ac),
            ] {
                if slot.is_none() {
                    *slot = Table::new(class, &table.counts, table.symbols).map(Box::new);
                }
            }
        }
    }
}
