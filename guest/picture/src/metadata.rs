//! EXIF and XMP of a file, as bytes: the decoders look for them in some places only.
//!
//! Pillow's order counts where a file may hold them in several ways.

use std::borrow::Cow;

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use crate::webp_chunks;

/// Bytes that a compressed text of a PNG file may grow to, as in Pillow. A longer text turns nothing.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// EXIF and XMP of a picture's file, each if the file has it.
#[derive(Debug, Default)]
pub(crate) struct Metadata<'a> {
    /// A TIFF file, with or without the prefix that EXIF has in a JPEG file.
    pub(crate) exif: Option<Cow<'a, [u8]>>,
    /// A text of XML.
    pub(crate) xmp: Option<Cow<'a, [u8]>>,
}

/// Reads the segments of a JPEG file before its first scan (ITU-T T.81, annex B). EXIF in several segments is put
/// together.
pub(crate) fn of_jpeg(file: &[u8]) -> Metadata<'_> {
    let mut found = Metadata::default();
    let mut rest = file.get(2..).unwrap_or_default();
    while let Some((marker, after)) = jpeg_marker(rest) {
        rest = after;
        match marker {
            // Start of scan, end of image.
            0xda | 0xd9 => break,
            // Markers without a segment.
            0x01 | 0xd0..=0xd8 => continue,
            _ => {}
        }
        let segment = rest.split_first_chunk().and_then(|(length, _)| {
            let length = usize::from(u16::from_be_bytes(*length));
            let (segment, after) = rest.split_at_checked(length)?;
            rest = after;
            segment.get(2..)
        });
        match (marker, segment) {
            (_, None) => break,
            (0xe1, Some(segment)) => {
                if let Some(part) = segment.strip_prefix(b"Exif\0\0") {
                    match &mut found.exif {
                        Some(exif) => exif.to_mut().extend_from_slice(part),
                        None => found.exif = Some(part.into()),
                    }
                } else if let Some(text) = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                    found.xmp = Some(text.into());
                }
            }
            _ => {}
        }
    }
    found
}

/// Returns the next marker, which may have fill bytes before it, and the bytes after it.
fn jpeg_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff);
    let at = bytes.windows(2).position(is_marker)?;
    Some((bytes[at + 1], &bytes[at + 2..]))
}

/// Reads the chunks of a PNG file, before and after its pixels: `eXIf`, or else the hexadecimal digits of the
/// text `Raw profile type exif`, which programs wrote before there was such a chunk; and XMP.
pub(crate) fn of_png(file: &[u8]) -> Metadata<'_> {
    let mut found = Metadata::default();
    let mut old_exif = None;
    let mut rest = file.get(8..).unwrap_or_default();
    while let Some(([name, content], after)) = png_chunk(rest) {
        rest = after;
        match name {
            b"IEND" => break,
            b"eXIf" => found.exif = Some(content.into()),
            b"tEXt" | b"zTXt" | b"iTXt" => {
                let Some((keyword, text)) = split_at_zero(content) else {
                    continue;
                };
                match keyword {
                    b"Raw profile type exif" => {
                        old_exif = png_text(name, text).and_then(|text| hexadecimal(&text));
                    }
                    b"XML:com.adobe.xmp" if name == b"iTXt" => found.xmp = png_text(name, text),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    found.exif = found.exif.or(old_exif.map(Cow::Owned));
    found
}

/// Returns a chunk's name and content, and the bytes after its checksum.
fn png_chunk(bytes: &[u8]) -> Option<([&[u8]; 2], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (name, rest) = rest.split_at_checked(4)?;
    let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some(([name, content], rest.get(4..)?))
}

/// Returns the text of a chunk, after its keyword (PNG specification, section 11.3.3).
fn png_text<'a>(name: &[u8], content: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    let inflate = |text| {
        let text = decompress_to_vec_zlib_with_limit(text, MAX_TEXT_BYTES).ok()?;
        Some(Cow::Owned(text))
    };
    match (name, content) {
        (b"tEXt", text) => Some(text.into()),
        (b"zTXt", [0, text @ ..]) => inflate(text),
        (b"iTXt", [is_compressed, 0, rest @ ..]) => {
            let (_language, rest) = split_at_zero(rest)?;
            let (_translated_keyword, text) = split_at_zero(rest)?;
            match is_compressed {
                0 => Some(text.into()),
                _ => inflate(text),
            }
        }
        _ => None,
    }
}

fn split_at_zero(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|&byte| byte == 0)?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// Returns the bytes of a raw profile: after an empty line, its kind and its length, two digits each, on any
/// number of lines.
fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let lines = text.split(|&byte| byte == b'\n').skip(3);
    let digits: Vec<u8> = lines
        .flatten()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|&byte| char::from(byte).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Reads the chunks of a WebP file, if its header announces them.
pub(crate) fn of_webp(file: &[u8]) -> Metadata<'_> {
    let [exif, xmp] = webp_chunks::metadata_of(file);
    Metadata {
        exif: exif.map(Cow::Borrowed),
        xmp: xmp.map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use miniz_oxide::deflate::compress_to_vec_zlib;

    use super::*;

    fn png(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        for (name, content) in chunks {
            file.extend((content.len() as u32).to_be_bytes());
            file.extend([&name[..], content, b"crc!"].concat());
        }
        file
    }

    fn jpeg(segments: &[(u8, &[u8])]) -> Vec<u8> {
        let mut file = vec![0xff, 0xd8];
        for (marker, content) in segments {
            file.extend([0xff, 0xff, *marker]);
            file.extend((content.len() as u16 + 2).to_be_bytes());
            file.extend(*content);
        }
        file
    }

    const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0text";

    #[test]
    fn metadata_of_a_jpeg_is_found_before_its_first_scan() {
        let file = jpeg(&[
            (0xe0, b"JFIF"),
            (0xe1, b"Exif\0\0one"),
            (0xe1, XMP),
            (0xe1, b"Exif\0\0two"),
            (0xda, b""),
            (0xe1, b"Exif\0\0three"),
        ]);
        let found = of_jpeg(&file);
        assert_eq!(found.exif.as_deref(), Some(&b"onetwo"[..]));
        assert_eq!(found.xmp.as_deref(), Some(&b"text"[..]));
        for length in 0..file.len() {
            of_jpeg(&file[..length]);
        }
    }

    #[test]
    fn a_text_of_a_png_that_grows_without_end_is_left_alone() {
        let profile = |digits: &str| format!("\nexif\n 9\n{digits}\n").into_bytes();
        let compressed = |text: &[u8]| {
            let text = compress_to_vec_zlib(text, 9);
            [b"Raw profile type exif\0\0", &text[..]].concat()
        };
        let found = |content: &[u8]| {
            let file = png(&[(b"zTXt", content)]);
            of_png(&file).exif.map(Cow::into_owned)
        };
        assert_eq!(
            found(&compressed(&profile("4 1\n42"))),
            Some(b"AB".to_vec())
        );
        assert_eq!(found(&compressed(&profile(&"41".repeat(1 << 20)))), None);
        assert_eq!(found(&compressed(&profile("414"))), None);
        assert_eq!(found(&compressed(&profile("4x"))), None);
        assert_eq!(found(b"Raw profile type exif\0\0nothing"), None);
        assert_eq!(found(b"Raw profile type exif"), None);
        assert_eq!(found(b""), None);
    }

    #[test]
    fn chunks_of_a_png_that_are_longer_than_the_file_are_left_alone() {
        let file = png(&[
            (b"IDAT", b""),
            (b"eXIf", b"exif"),
            (b"IEND", b""),
            (b"eXIf", b"more"),
        ]);
        assert_eq!(of_png(&file).exif.as_deref(), Some(&b"exif"[..]));
        for length in 0..file.len() {
            of_png(&file[..length]);
        }
        let mut long = file;
        long[8..12].fill(0xff);
        assert!(of_png(&long).exif.is_none());
    }
}
