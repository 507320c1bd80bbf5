//! The orientation of a picture, from the file's EXIF or else its XMP.
//!
//! The rules are those of Pillow's `ImageOps.exif_transpose`, which most publishers' code calls. Metadata that
//! cannot be read turns nothing.

use image::ImageFormat;
use image::metadata::Orientation;

use crate::metadata::{self, Metadata};

/// The tag of the orientation in the first directory (TIFF 6.0, section 8).
const TAG: u16 = 0x0112;

/// A directory's entry: tag, type, count and value.
const ENTRY_BYTES: usize = 12;

/// Returns the way that the picture in `file` is to be turned.
pub(crate) fn of(file: &[u8], format: ImageFormat) -> Orientation {
    let Metadata { exif, xmp } = match format {
        ImageFormat::Jpeg => metadata::of_jpeg(file),
        ImageFormat::Png => metadata::of_png(file),
        ImageFormat::WebP => metadata::of_webp(file),
        _ => Metadata::default(),
    };
    exif.and_then(|exif| of_exif(&exif))
        .or_else(|| xmp.and_then(|xmp| of_xmp(&xmp)))
        .and_then(|number| Orientation::from_exif(u8::try_from(number).ok()?))
        .unwrap_or(Orientation::NoTransforms)
}

/// Reads the number in EXIF. Some programs put `Exif\0\0`, which belongs to JPEG, before it in other files too, or
/// twice.
fn of_exif(mut exif: &[u8]) -> Option<u32> {
    for _ in 0..2 {
        exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    }
    let is_big = match exif.first_chunk()? {
        b"MM\0*" => true,
        b"II*\0" => false,
        _ => return None,
    };
    let number = |bytes: &[u8]| {
        let add = |number, &byte: &u8| number << 8 | u32::from(byte);
        if is_big {
            bytes.iter().fold(0, add)
        } else {
            bytes.iter().rev().fold(0, add)
        }
    };
    let directory = exif.get(number(exif.get(4..8)?) as usize..)?;
    let (count, entries) = directory.split_at_checked(2)?;
    let entries = entries.as_chunks::<ENTRY_BYTES>().0.iter();
    let mut entries = entries.take(number(count) as usize);
    let entry = entries.find(|entry| number(&entry[..2]) == u32::from(TAG))?;
    if number(&entry[4..8]) != 1 {
        return None;
    }
    match number(&entry[2..4]) {
        // SHORT and LONG, at the left of the value's four bytes.
        3 => Some(number(&entry[8..10])),
        4 => Some(number(&entry[8..12])),
        _ => None,
    }
}

/// Reads the digit in XMP, of an attribute `tiff:Orientation="6"` or an element `<tiff:Orientation>6`.
fn of_xmp(xmp: &[u8]) -> Option<u32> {
    let name = b"tiff:Orientation";
    xmp.windows(name.len())
        .enumerate()
        .filter(|(_, found)| found == name)
        .find_map(|(at, _)| {
            let digit = match &xmp[at + name.len()..] {
                [b'=', b'"', digit, ..] | [b'>', digit, ..] => digit,
                _ => return None,
            };
            char::from(*digit).to_digit(10)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of one entry, at the right place.
    fn exif(tag: u16, kind: u16, count: u32, value: u32) -> Vec<u8> {
        [
            &b"II*\0\x08\0\0\0\x01\0"[..],
            &tag.to_le_bytes(),
            &kind.to_le_bytes(),
            &count.to_le_bytes(),
            &value.to_le_bytes(),
        ]
        .concat()
    }

    #[test]
    fn exif_that_cannot_be_read_turns_nothing() {
        let whole = exif(TAG, 3, 1, 6);
        assert_eq!(of_exif(&whole), Some(6));
        for length in 0..whole.len() {
            assert_eq!(of_exif(&whole[..length]), None, "cut to {length} bytes");
        }
        assert_eq!(of_exif(&exif(TAG + 1, 3, 1, 6)), None);
        assert_eq!(of_exif(&exif(TAG, 2, 1, 6)), None);
        assert_eq!(of_exif(&exif(TAG, 3, 2, 6)), None);
        assert_eq!(of_exif(&exif(TAG, 3, u32::MAX, 6)), None);
        let mut far = whole.clone();
        far[4..8].fill(0xff);
        assert_eq!(of_exif(&far), None);
        let mut many = whole;
        many[8..10].fill(0xff);
        assert_eq!(of_exif(&many), Some(6));
    }

    #[test]
    fn a_number_that_is_no_orientation_turns_nothing() {
        for number in [0, 9, 255, 256 + 6, u32::MAX] {
            let exif = exif(TAG, 4, 1, number);
            assert_eq!(of_exif(&exif), Some(number));
            let file = [&b"\xff\xd8\xff\xe1\0\x22Exif\0\0"[..], &exif].concat();
            let found = of(&file, ImageFormat::Jpeg);
            assert_eq!(found, Orientation::NoTransforms, "{number}");
        }
    }

    #[test]
    fn xmp_says_it_in_an_attribute_or_an_element() {
        assert_eq!(of_xmp(b"<a tiff:Orientation=\"6\"/>"), Some(6));
        assert_eq!(of_xmp(b"<tiff:Orientation>8</tiff:Orientation>"), Some(8));
        assert_eq!(of_xmp(b"<tiff:Orientation/> <tiff:Orientation>3"), Some(3));
        for text in [
            "",
            "tiff:Orientation",
            "tiff:Orientation=\"",
            "tiff:Orientation=6",
        ] {
            assert_eq!(of_xmp(text.as_bytes()), None, "{text}");
        }
    }
}
