//! Whether a JPEG file is whole.
//!
//! The decoder takes a file that is cut short for a picture whose lower part is grey, as a browser
//! does. An answer about a picture that nobody took would be wrong without a word of warning, so the
//! end is looked for first. Markers: ITU-T T.81, annex B.

/// End of image.
const EOI: u8 = 0xd9;

/// Whether the file, after its start marker, gets to its end marker. What comes after that is nobody's
/// business: some cameras put a second picture there.
pub(crate) fn reaches_end(file: &[u8]) -> bool {
    let mut rest = file.get(2..).unwrap_or_default();
    while let Some((marker, after)) = next_marker(rest) {
        if marker == EOI {
            return true;
        }
        // Every other marker that is found here begins a segment that says how long it is. So the end
        // marker of a preview inside a segment is not taken for that of the file.
        let Some(length) = after.first_chunk() else {
            return false;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        rest = after.get(length..).unwrap_or_default();
    }
    false
}

/// The next marker that is no part of compressed data, and what follows it.
fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let is_marker = |pair: &[u8]| {
        // In compressed data, 0xff is followed by 0 where it is a number, and by a restart marker
        // between parts. 0xff may be repeated as filling, and 1 stands alone.
        pair[0] == 0xff && !matches!(pair[1], 0x00 | 0x01 | 0xd0..=0xd7 | 0xff)
    };
    let at = bytes.windows(2).position(is_marker)?;
    Some((bytes[at + 1], &bytes[at + 2..]))
}

#[cfg(test)]
mod tests {
    use super::reaches_end;

    const SEGMENT: [u8; 6] = [0xff, 0xe1, 0, 4, 0xff, 0xd9];
    const SCAN: [u8; 12] = [0xff, 0xda, 0, 2, 7, 0xff, 0, 0xff, 0xd0, 9, 0xff, 0xff];

    fn file(parts: &[&[u8]]) -> Vec<u8> {
        [&[&[0xff, 0xd8][..]], parts].concat().concat()
    }

    #[test]
    fn a_file_with_an_end_marker_is_whole() {
        assert!(reaches_end(&file(&[&SEGMENT, &SCAN, &[0xd9]])));
        assert!(reaches_end(&file(&[&SEGMENT, &SCAN, &[0xd9], b"more"])));
    }

    #[test]
    fn a_file_cut_anywhere_is_not() {
        let whole = file(&[&SEGMENT, &SCAN, &[0xd9]]);
        for length in 0..whole.len() {
            assert!(!reaches_end(&whole[..length]), "cut to {length} bytes");
        }
    }

    #[test]
    fn a_segment_that_is_longer_than_the_file_is_no_end() {
        assert!(!reaches_end(&file(&[&[
            0xff, 0xe1, 0xff, 0xff, 0xff, 0xd9
        ]])));
        assert!(!reaches_end(&file(&[&[0xff, 0xe1, 0]])));
    }
}
