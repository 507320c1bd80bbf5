//! Whether the parts of a WebP file go together.
//!
//! The decoder believes what a file says of itself: it makes room for metadata as long as its chunk
//! says, and for a frame as large as the frame says, whatever the file's length and the picture's size
//! are. So both are compared here first. Container: RFC 9649, sections 2.3 to 2.7; the headers of the
//! two bitstreams: RFC 6386, section 9.1, and RFC 9649, section 3.4.

/// A chunk's name and its length.
const CHUNK_HEADER_BYTES: usize = 8;

/// Flags, and the canvas's width and height.
const VP8X_BYTES: usize = 10;

/// Where a frame of an animation lies, its size, its duration and its flags.
const FRAME_HEADER_BYTES: usize = 16;

/// A rectangle's width and height, in pixels.
type Size = [u32; 2];

/// The bytes of `file` that are the picture: what comes after them is nobody's business.
///
/// # Errors
///
/// What is wrong, when the file or one of its chunks is cut short, or a frame is not as large as it
/// must be, or lies outside the canvas.
pub(crate) fn picture_of(file: &[u8]) -> Result<&[u8], String> {
    let whole = take(file, 4)
        .filter(|(name, _)| *name == b"RIFF")
        .and_then(|(_, rest)| take(rest, 4))
        .and_then(|(length, _)| file.get(..little_endian(length).checked_add(8)?))
        .ok_or("a file that ends before its picture does")?;
    let mut chunks = Chunks {
        rest: whole.get(12..).unwrap_or_default(),
    };
    match chunks.next().ok_or("a file without chunks")?? {
        // The whole picture, as large as it says.
        (b"VP8 " | b"VP8L", _) => Ok(whole),
        (b"VP8X", header) if header.len() == VP8X_BYTES => {
            check_chunks(chunks, size_at(header, 4)).map(|()| whole)
        }
        (name, _) => Err(format!("a first chunk `{}`", name.escape_ascii())),
    }
}

/// The chunks after `VP8X`.
fn check_chunks(chunks: Chunks<'_>, canvas: Size) -> Result<(), String> {
    for chunk in chunks {
        let (name, content) = chunk?;
        match name {
            b"VP8 " | b"VP8L" => check_frame(name, content, canvas)?,
            b"ANMF" => check_animation_frame(content, canvas)?,
            _ => {}
        }
    }
    Ok(())
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

/// Whether the picture in a chunk is as large as it must be.
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
