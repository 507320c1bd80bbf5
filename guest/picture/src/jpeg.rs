//! Decodes baseline, extended and progressive JPEG files of 8 bits (ITU-T T.81) to the pixels that
//! libjpeg-turbo gives with its defaults, bit for bit.
//!
//! No library does: of 235 valid files of the conformance set, `zune-jpeg` 0.5.15 and `jpeg-decoder` 0.3.2
//! are off by more than 2 of 255 in more than 100, and take some for another picture. Publishers train and test
//! their models with libjpeg-turbo, so its arithmetic is part of a model.
//!
//! A decoder of an invalid file has to guess. This one refuses such a file, but for faults that libjpeg-turbo passes
//! over without harm to the picture: bytes between segments, and a missing end marker.

mod bits;
mod block;
mod coefficients;
mod colour_hints;
mod colours;
mod decoding;
mod frame;
mod huffman;
mod idct;
mod marker_code;
mod markers;
mod progressive;
mod refusal;
mod render;
mod scan;
mod standard_tables;
mod strip;
mod upsample;
mod zigzag;

use coefficients::Coefficients;
use decoding::Decoding;
use frame::Frame;
use markers::{Marker, Segments, Tables};
use render::Renderer;
use scan::Scan;

pub(crate) use refusal::Refusal;

/// A file whose header has been read, up to its first scan.
pub(crate) struct Jpeg<'a> {
    segments: Segments<'a>,
    tables: Tables,
    frame: Frame,
    first_scan: &'a [u8],
}

impl<'a> Jpeg<'a> {
    /// Reads everything before the first scan's data. Takes no memory for pixels.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when this decoder cannot read the file's kind, or the header is broken.
    pub(crate) fn open(file: &'a [u8]) -> Result<Self, Refusal> {
        let mut segments = Segments::new(file)?;
        let mut tables = Tables::default();
        let mut frame = None;
        loop {
            let (marker, content) = segments.next()?.ok_or(Refusal::CutShort)?;
            match marker {
                Marker::Scan => {
                    let mut frame: Frame =
                        frame.ok_or(Refusal::Broken("a scan before the size of the picture"))?;
                    frame.colours = tables.hints.colours(&frame);
                    if !frame.is_progressive {
                        tables.add_standard_huffman_tables();
                    }
                    return Ok(Self {
                        segments,
                        tables,
                        frame,
                        first_scan: content,
                    });
                }
                Marker::Frame(kind) => {
                    let found = Frame::read(kind, content)?;
                    if frame.replace(found).is_some() {
                        return Err(Refusal::Broken("two sizes of the picture"));
                    }
                }
                Marker::End => return Err(Refusal::Broken("an end before any scan")),
                other => tables.read(other, content)?,
            }
        }
    }

    /// Returns width and height in pixels, as stored: before the picture is turned by its metadata.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.frame.width as u32, self.frame.height as u32)
    }

    /// Decodes to `[height, width, 3]` bytes of red, green and blue. Memory: the result, and for a file of
    /// several scans two bytes for each sample of each component.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] when the file is broken, ends before its picture does, or has more scans than its size
    /// allows.
    pub(crate) fn into_rgb8(mut self) -> Result<Vec<u8>, Refusal> {
        let mut scan = Scan::read(&self.frame, self.first_scan)?;
        scan.latch_quantisation(&mut self.frame, &self.tables)?;
        if !self.frame.is_progressive && scan.components.len() == self.frame.components.len() {
            let renderer = Renderer::new(&self.frame);
            let mut decoding =
                Decoding::new(&scan, &self.frame, &self.tables, self.segments.rest())?;
            return renderer.run(|row, strips| decoding.sequential_row(row, strips));
        }
        let mut coefficients = Coefficients::new(&self.frame);
        loop {
            coefficients.admit(&self.frame, &scan)?;
            let decoding = Decoding::new(&scan, &self.frame, &self.tables, self.segments.rest())?;
            let rest = decoding.run(&mut coefficients)?;
            self.segments.set_rest(rest);
            if coefficients.is_complete() && !self.frame.is_progressive {
                break;
            }
            let Some(content) = self.next_scan()? else {
                break;
            };
            scan = Scan::read(&self.frame, content)?;
            scan.latch_quantisation(&mut self.frame, &self.tables)?;
        }
        if !coefficients.is_complete() {
            return Err(match self.segments.at_end_marker() {
                true => Refusal::MissingScans,
                false => Refusal::CutShort,
            });
        }
        Renderer::new(&self.frame).run(|row, strips| coefficients.render(&self.frame, row, strips))
    }

    /// Returns the header of the next scan; none at the end of the picture.
    fn next_scan(&mut self) -> Result<Option<&'a [u8]>, Refusal> {
        while let Some((marker, content)) = self.segments.next()? {
            match marker {
                Marker::Scan => return Ok(Some(content)),
                Marker::End => break,
                Marker::Frame(_) => return Err(Refusal::Broken("two sizes of the picture")),
                other => self.tables.read(other, content)?,
            }
        }
        Ok(None)
    }
}
