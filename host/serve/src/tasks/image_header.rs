//! The size of an encoded image by its header. Nothing else is read: decoding is the guest's work.
//!
//! This is one of the few parsers of the host that see a caller's bytes, so it is alone in its file,
//! and a fuzz target includes the file without the engine around it.

/// The reason that a header was not recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoImage {
    Empty,
    /// Neither PNG nor JPEG nor WebP by the header, or the header is not all there.
    Unknown,
}

impl std::fmt::Display for NoImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Unknown => "of another format, or cut short",
        })
    }
}

/// The pixels that the header of a PNG, JPEG or WebP file promises; [`u64::MAX`] where there are more.
pub(crate) fn pixels(bytes: &[u8]) -> Result<u64, NoImage> {
    if bytes.is_empty() {
        return Err(NoImage::Empty);
    }
    if let Some(rest) = bytes.strip_prefix(b"\xff\xd8") {
        return jpeg_pixels(rest).ok_or(NoImage::Unknown);
    }
    // The library is built for the other two formats only. Of JPEG it refuses files with bytes that fill the
    // place before a marker, which are valid, and passes over whole segments to find a frame.
    let size = imagesize::blob_size(bytes).map_err(|_| NoImage::Unknown)?;
    Ok((size.width as u64).saturating_mul(size.height as u64))
}

/// The pixels that a JPEG file's frame header promises (ITU-T T.81, B.1 and B.2.2). `rest` is what follows
/// the first marker. 0 where the file tells its height later: the guest says what it thinks of that.
///
/// Markers are found as the guests' decoder finds them, so that both read one frame.
fn jpeg_pixels(mut rest: &[u8]) -> Option<u64> {
    loop {
        // Any number of 0xff may stand before a marker.
        let at = rest.iter().position(|&byte| byte == 0xff)?;
        let fill = rest[at..].iter().position(|&byte| byte != 0xff)?;
        let marker = rest[at + fill];
        rest = &rest[at + fill + 1..];
        match marker {
            // No marker; or one that stands alone.
            0x00 | 0x01 | 0xd0..=0xd7 => continue,
            // A scan or an end, before any frame; or a second start.
            0xd8..=0xda => return None,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        let content = rest.get(2..length)?;
        match (marker, content) {
            // Tables, an extension and arithmetic conditioning lie between the frames.
            (0xc4 | 0xc8 | 0xcc, _) => {}
            (0xc0..=0xcf, [_, a, b, c, d, ..]) => {
                let [height, width] = [[*a, *b], [*c, *d]].map(u16::from_be_bytes);
                return Some(u64::from(height) * u64::from(width));
            }
            (0xc0..=0xcf, _) => return None,
            _ => {}
        }
        rest = &rest[length..];
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// A segment as a file holds it: `marker` with anything before it, its length, and its content.
    fn segment(marker: &[u8], content: &[u8]) -> Vec<u8> {
        let length = (content.len() as u16 + 2).to_be_bytes();
        [marker, &length[..], content].concat()
    }

    const FRAME: [u8; 6] = [8, 0x01, 0x02, 0x03, 0x04, 1];
    const PIXELS: u64 = 0x102 * 0x304;

    fn jpeg(parts: &[&[u8]]) -> Result<u64, NoImage> {
        pixels(&[&b"\xff\xd8"[..], &parts.concat()].concat())
    }

    #[test]
    fn bytes_that_fill_the_place_before_a_marker_are_passed_over() {
        for fill in [1, 2, 7, 300] {
            let marker = |code| [vec![0xff; fill], vec![code]].concat();
            let app = segment(&marker(0xe0), b"JFIF\0");
            let tables = segment(&marker(0xdb), &[0; 65]);
            for frame in [0xc0, 0xc1, 0xc2] {
                let frame = segment(&marker(frame), &FRAME);
                assert_eq!(jpeg(&[&app, &tables, &frame]), Ok(PIXELS), "{fill}");
            }
        }
    }

    #[test]
    fn a_frame_inside_of_another_segment_is_not_the_files() {
        let frame = segment(b"\xff\xc0", &FRAME);
        let thumbnail = segment(b"\xff\xc0", &[8, 0, 1, 0, 1, 1]);
        for marker in [0xe1, 0xfe, 0xc4, 0xcc, 0xdd] {
            let other = segment(&[0xff, marker], &thumbnail);
            assert_eq!(jpeg(&[&other, &frame]), Ok(PIXELS), "{marker:x}");
        }
    }

    #[test]
    fn kinds_of_jpeg_that_no_guest_reads_get_to_the_guest_which_says_so() {
        for marker in [0xc3, 0xc5, 0xc9, 0xca, 0xcb, 0xcf] {
            assert_eq!(jpeg(&[&segment(&[0xff, marker], &FRAME)]), Ok(PIXELS));
        }
        let later = segment(b"\xff\xc0", &[8, 0, 0, 3, 4, 1]);
        assert_eq!(jpeg(&[&later]), Ok(0));
    }

    #[test]
    fn a_jpeg_without_a_frame_before_its_scan_is_none() {
        let frame = segment(b"\xff\xc0", &FRAME);
        for before in [0xd8, 0xd9, 0xda] {
            let before = segment(&[0xff, before], &[0; 6]);
            assert_eq!(jpeg(&[&before, &frame]), Err(NoImage::Unknown));
        }
        for broken in [
            &b""[..],
            b"\xff",
            &[0xff; 90],
            b"\xff\xc0\0\x01",
            b"\xff\xe0\0\0",
        ] {
            assert_eq!(jpeg(&[broken]), Err(NoImage::Unknown));
        }
        assert_eq!(
            jpeg(&[&segment(b"\xff\xc0", &FRAME[..4])]),
            Err(NoImage::Unknown)
        );
    }

    /// The corpus of the fuzz target: one input for each way through the readers.
    #[test]
    fn the_header_of_anything_is_read_or_refused() {
        let corpus = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fuzz/corpus/image_header"
        );
        let mut files = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let whole = pixels(&bytes);
            for length in 0..bytes.len() {
                // However much is missing, the answer is the whole file's or a refusal.
                let cut = pixels(&bytes[..length]);
                assert!(cut.is_err() || cut == whole, "{length} of {bytes:?}");
            }
            files += 1;
        }
        assert!(files > 10, "{files} files in {corpus}");
    }
}
