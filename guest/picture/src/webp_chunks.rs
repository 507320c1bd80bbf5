//! The parts of a WebP file that are its picture, once it is known that they go together.
//!
//! The decoder believes what a file says of itself: it makes room for metadata as long as its chunk
//! says, and for a frame as large as the frame says, whatever the file's length and the picture's size
//! are. So both are compared here first. Container: RFC 9649, sections 2.3 to 2.7; the headers of the
//! two bitstreams: RFC 6386, section 9.1, and RFC 9649, section 3.4.

use std::borrow::Cow;

/// A chunk's name and its length.
const CHUNK_HEADER_BYTES: usize = 8;

/// Flags, and the canvas's width and height.
const VP8X_BYTES: usize = 10;

/// Bytes of a frame's header in an animation: its place, size, duration and flags.
const FRAME_HEADER_BYTES: usize = 16;

/// A rectangle's width and height, in pixels.
type Size = [u32; 2];

/// Flags of a `VP8X` chunk (RFC 9649, section 2.7.1).
const HAS_ANIMATION: u8 = 0x02;
const HAS_XMP: u8 = 0x04;
const HAS_EXIF: u8 = 0x08;
const HAS_ALPHA: u8 = 0x10;

/// A file of the picture in `file` alone, as the decoder likes it: without metadata, without what comes
/// after it, of an animation only the first frame, and with flags that say what there is. Flags that
/// announce a chunk which is missing are common, and libwebp reads past them.
///
/// # Errors
///
/// The fault, when the file or one of its chunks is cut short, or a frame is not as large as it must
/// be, or lies outside the canvas.
pub(crate) fn picture_of(file: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let whole = whole_of(file).ok_or("a file that ends before its picture does")?;
    let mut chunks = chunks_of(whole);
    match chunks.next().ok_or("a file without chunks")?? {
        // The whole picture, as large as it says.
        (b"VP8 " | b"VP8L", _) => Ok(whole.into()),
        (b"VP8X", header) if header.len() == VP8X_BYTES => extended(chunks, header).map(Cow::Owned),
        (name, _) => Err(format!("a first chunk `{}`", name.escape_ascii())),
    }
}

/// EXIF and XMP of a file: the first chunk of each kind that the file's flags announce.
pub(crate) fn metadata_of(file: &[u8]) -> [Option<&[u8]>; 2] {
    let mut chunks = chunks_of(whole_of(file).unwrap_or_default());
    let Some(Ok((b"VP8X", [flags, ..]))) = chunks.next() else {
        return [None; 2];
    };
    [(HAS_EXIF, b"EXIF"), (HAS_XMP, b"XMP ")].map(|(flag, wanted)| {
        let mut chunks = chunks.clone().map_while(Result::ok);
        let (_, content) = chunks.find(|(name, _)| *name == wanted)?;
        (flags & flag != 0).then_some(content)
    })
}

/// The bytes that the file's header counts, itself with them.
fn whole_of(file: &[u8]) -> Option<&[u8]> {
    let (name, rest) = take(file, 4)?;
    let (length, _) = take(rest, 4)?;
    let whole = file.get(..little_endian(length).checked_add(8)?)?;
    (name == b"RIFF").then_some(whole)
}

fn chunks_of(whole: &[u8]) -> Chunks<'_> {
    Chunks {
        rest: whole.get(12..).unwrap_or_default(),
    }
}

/// A file of what the chunks after `VP8X` show.
fn extended(chunks: Chunks<'_>, header: &[u8]) -> Result<Vec<u8>, String> {
    let (flags, canvas) = (header[0], size_at(header, 4));
    let (mut alpha, mut picture, mut animation, mut frame) = (None, None, None, None);
    for chunk in chunks {
        let (name, content) = chunk?;
        match name {
            // Of a lossy picture that follows.
            b"ALPH" if picture.is_none() => alpha = Some((name, content)),
            b"VP8 " | b"VP8L" => {
                check_frame(name, content, canvas)?;
                picture = picture.or(Some((name, content)));
            }
            b"ANIM" => animation = animation.or(Some((name, content))),
            b"ANMF" => {
                check_animation_frame(content, canvas)?;
                frame = frame.or(Some((name, content)));
            }
            _ => {}
        }
    }
    let vp8x = [&[flags & (HAS_ANIMATION | HAS_ALPHA)], &header[1..]].concat();
    let parts = if flags & HAS_ANIMATION != 0 {
        let (Some(animation), Some(frame)) = (animation, frame) else {
            return Err("an animation without an `ANIM` chunk or without frames".to_owned());
        };
        // libwebp shows what lies under the transparency, and the decoder something else.
        if flags & HAS_ALPHA == 0 && is_see_through(frame.1) {
            return Err("an animation that is see-through, which its header denies".to_owned());
        }
        vec![(b"VP8X", &vp8x[..]), animation, frame]
    } else {
        match (alpha, picture) {
            // Without the flag libwebp leaves the transparency out.
            (Some(alpha), Some(picture @ (b"VP8 ", _))) if flags & HAS_ALPHA != 0 => {
                vec![(b"VP8X", &vp8x[..]), alpha, picture]
            }
            // A lossless picture says itself what is see-through.
            (_, Some(picture)) => vec![picture],
            (_, None) => return Err("a file without a picture".to_owned()),
        }
    };
    Ok(file_of(&parts))
}

/// Returns whether a frame of an animation has an alpha channel.
fn is_see_through(frame: &[u8]) -> bool {
    let rest = frame.get(FRAME_HEADER_BYTES..).unwrap_or_default();
    match (Chunks { rest }).next() {
        Some(Ok((b"ALPH", _))) => true,
        // A bit after the two sides of 14 bits each.
        Some(Ok((b"VP8L", [_, _, _, _, last, ..]))) => last & 0x10 != 0,
        _ => false,
    }
}

fn file_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let padded = |length: usize| length.next_multiple_of(2);
    let lengths = chunks
        .iter()
        .map(|(_, content)| CHUNK_HEADER_BYTES + padded(content.len()));
    let length = 4 + lengths.sum::<usize>();
    let mut file = Vec::with_capacity(8 + length);
    file.extend(b"RIFF");
    file.extend((length as u32).to_le_bytes());
    file.extend(b"WEBP");
    for (name, content) in chunks {
        file.extend(*name);
        file.extend((content.len() as u32).to_le_bytes());
        file.extend(*content);
        file.resize(file.len().next_multiple_of(2), 0);
    }
    file
}

fn check_animation_frame(content: &[u8], canvas: Size) -> Result<(), String> {
    let (header, rest) =
        take(content, FRAME_HEADER_BYTES).ok_or("a frame that ends before its header does")?;
    let size = size_at(header, 6);
    for (axis, offset) in [0, 3].into_iter().enumerate() {
        // Offsets are counted in pairs of pixels.
        let offset = 2 * little_endian(&header[offset..offset + 3]) as u32;
        if offset + size[axis] > canvas[axis] {
            return Err(format!("a frame that leaves a canvas of {canvas:?} pixels"));
        }
    }
    let mut chunks = Chunks { rest };
    let mut chunk = chunks.next().ok_or("a frame without a picture")??;
    if chunk.0 == b"ALPH" {
        // What is see-through of the lossy picture that follows.
        chunk = chunks.next().ok_or("a frame without a picture")??;
        if chunk.0 != b"VP8 " {
            return Err("a frame with an `ALPH` chunk and no `VP8 ` chunk after it".to_owned());
        }
    }
    check_frame(chunk.0, chunk.1, size)?;
    chunks.try_for_each(|chunk| chunk.map(drop))
}

/// Checks that the picture in a chunk is as large as it must be.
fn check_frame(name: &[u8; 4], content: &[u8], expected: Size) -> Result<(), String> {
    let found = match (name, content) {
        // A key frame's tag, the start code, and 14 bits each with two bits of scaling, which is not
        // applied.
        (b"VP8 ", [tag, _, _, 0x9d, 0x01, 0x2a, a, b, c, d, ..]) if tag & 1 == 0 => {
            [[*a, *b], [*c, *d]].map(|side| u32::from(u16::from_le_bytes(side) & 0x3fff))
        }
        // The signature, and 14 bits each of the sides less one.
        (b"VP8L", [0x2f, a, b, c, d, ..]) => {
            let bits = u32::from_le_bytes([*a, *b, *c, *d]);
            [bits, bits >> 14].map(|side| (side & 0x3fff) + 1)
        }
        _ => {
            return Err(format!(
                "a picture's chunk `{}` that begins otherwise",
                name.escape_ascii()
            ));
        }
    };
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "a frame of {found:?} pixels that should be {expected:?}"
    ))
}

/// Chunks one after another: their names and what is in them.
#[derive(Clone)]
struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8]), String>;

    fn next(&mut self) -> Option<Self::Item> {
        // Fewer bytes are no chunk.
        let (header, rest) = take(self.rest, CHUNK_HEADER_BYTES)?;
        let (name, length) = header.split_first_chunk()?;
        let length = little_endian(length);
        let Some((content, rest)) = take(rest, length) else {
            self.rest = &[];
            return Some(Err(format!(
                "a chunk `{}` of {length} bytes, with {} left",
                name.escape_ascii(),
                rest.len()
            )));
        };
        // A byte of padding after an odd length; the last may lack it.
        self.rest = rest.get(length % 2..).unwrap_or_default();
        Some(Ok((name, content)))
    }
}

fn take(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(length)
}

/// A number of at most four bytes.
fn little_endian(bytes: &[u8]) -> usize {
    let digits = bytes.iter().rev();
    digits.fold(0, |number, &byte| number << 8 | usize::from(byte))
}

/// Two sides of three bytes each, stored less one.
fn size_at(bytes: &[u8], start: usize) -> Size {
    [start, start + 3].map(|at| little_endian(&bytes[at..at + 3]) as u32 + 1)
}

#[cfg(test)]
mod tests;
