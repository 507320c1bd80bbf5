//! WebP files put together by hand (RFC 9649), right ones and wrong ones.

/// Flag of [`vp8x`]: there is an animation.
pub const ANIMATION: u8 = 0x02;
/// Flag of [`vp8x`]: there is an EXIF chunk.
pub const EXIF: u8 = 0x08;
/// Flag of [`vp8x`]: the picture may be see-through.
pub const ALPHA: u8 = 0x10;

/// A file of these chunks.
#[must_use]
pub fn file(chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(b"RIFF", &[b"WEBP", &chunks.concat()[..]].concat())
}

/// A chunk of as many bytes as it says, padded to an even length.
#[must_use]
pub fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut chunk = chunk_that_claims(content.len() as u32, name, content);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// A chunk that says that it has `length` bytes.
#[must_use]
pub fn chunk_that_claims(length: u32, name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&name[..], &length.to_le_bytes(), content].concat()
}

/// The chunk that begins an extended file.
#[must_use]
pub fn vp8x(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let content = [
        &[flags, 0, 0, 0][..],
        &three_bytes(width - 1),
        &three_bytes(height - 1),
    ];
    chunk(b"VP8X", &content.concat())
}

/// The chunk that every animation has: a background that is not there, repeated for ever.
#[must_use]
pub fn anim() -> Vec<u8> {
    chunk(b"ANIM", &[0; 6])
}

/// A frame of an animation, in the upper left corner.
#[must_use]
pub fn anmf(width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let header = [
        &[0; 6][..],
        &three_bytes(width - 1),
        &three_bytes(height - 1),
        &[0; 4],
    ];
    chunk(b"ANMF", &[header.concat(), chunks.concat()].concat())
}

/// A lossless picture of one colour, red, green, blue and alpha, in some twenty bytes whatever its
/// size.
#[must_use]
pub fn vp8l(width: u32, height: u32, colour: [u8; 4]) -> Vec<u8> {
    // Alpha is used; version 0.
    let header = (width - 1) | (height - 1) << 14 | 1 << 28;
    let content = [&[0x2f], &header.to_le_bytes()[..], &one_colour(colour)];
    chunk(b"VP8L", &content.concat())
}

/// The opacity of a lossy picture, the same everywhere: a lossless picture without a header, whose green it is.
#[must_use]
pub fn alph(alpha: u8) -> Vec<u8> {
    let is_lossless = 1;
    chunk(
        b"ALPH",
        &[&[is_lossless], &one_colour([0, alpha, 0, 0])[..]].concat(),
    )
}

/// The data of a lossless picture after its header.
fn one_colour([red, green, blue, alpha]: [u8; 4]) -> Vec<u8> {
    let mut bits = Bits::default();
    // No transform, no colour cache, one group of codes.
    bits.push(0, 3);
    // Each channel's code, and that of distances, has one symbol, which takes no bits.
    for symbol in [green, red, blue, alpha, 0] {
        bits.push(0b101, 3);
        bits.push(u32::from(symbol), 8);
    }
    // The decoder reads ahead.
    bits.bytes.resize(16, 0);
    bits.bytes
}

/// A lossy picture of one colour. After its header every byte is 0, which stands for as many zeros as
/// are asked for: predicted blocks without anything to add (RFC 6386, section 7).
#[must_use]
pub fn vp8(width: u16, height: u16) -> Vec<u8> {
    let blocks = u32::from(width.div_ceil(16)) * u32::from(height.div_ceil(16));
    // How blocks are predicted, and what is added: fewer bits than this.
    let (predictions, residuals) = (64 + blocks, 64 + 2 * blocks);
    let mut content = vp8_start(width, height, predictions);
    content.resize(content.len() + (predictions + residuals) as usize, 0);
    chunk(b"VP8 ", &content)
}

/// The header of a lossy picture, and nothing after it.
#[must_use]
pub fn vp8_header(width: u16, height: u16) -> Vec<u8> {
    chunk(b"VP8 ", &vp8_start(width, height, 0))
}

/// The header of a key frame that is shown.
fn vp8_start(width: u16, height: u16, first_partition_bytes: u32) -> Vec<u8> {
    let [width, height] = [width, height].map(u16::to_le_bytes);
    [
        &three_bytes(first_partition_bytes << 5 | 0x10)[..],
        &[0x9d, 0x01, 0x2a],
        &width,
        &height,
    ]
    .concat()
}

fn three_bytes(number: u32) -> [u8; 3] {
    let [a, b, c, _] = number.to_le_bytes();
    [a, b, c]
}

/// Bits, the first in the lowest place of the first byte.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) {
        for place in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> place & 1) as u8) << (self.used % 8);
            }
            self.used += 1;
        }
    }
}
