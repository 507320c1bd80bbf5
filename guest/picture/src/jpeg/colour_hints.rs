//! The choice of a file's colour space, which the file does not name: the rules are libjpeg's
//! (`default_decompress_parms`).

use super::colours::Colours;
use super::frame::Frame;

/// Segments before the first scan that tell about colours.
#[derive(Debug, Default)]
pub(super) struct Hints {
    has_jfif: bool,
    adobe_transform: Option<u8>,
}

impl Hints {
    pub(super) fn read(&mut self, number: u8, content: &[u8]) {
        match number {
            0 if content.len() >= 14 && content.starts_with(b"JFIF\0") => self.has_jfif = true,
            14 if content.len() >= 12 && content.starts_with(b"Adobe") => {
                self.adobe_transform = Some(content[11]);
            }
            _ => {}
        }
    }

    /// Returns the colours of a frame with these segments before its first scan.
    pub(super) fn colours(&self, frame: &Frame) -> Colours {
        match frame.components[..] {
            [_] => Colours::Grey,
            [_, _, _, _] => match self.adobe_transform {
                Some(0) | None => Colours::Cmyk,
                Some(_) => Colours::Ycck,
            },
            _ if self.has_jfif => Colours::YCbCr,
            _ => match self.adobe_transform {
                Some(0) => Colours::Rgb,
                Some(_) => Colours::YCbCr,
                None if frame.components.iter().map(|c| c.id).eq(*b"RGB") => Colours::Rgb,
                None => Colours::YCbCr,
            },
        }
    }
}
