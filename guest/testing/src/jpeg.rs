//! JPEG files put together by hand (ITU-T T.81).

/// A progressive picture of four channels in one colour, as print shops have them: of all kinds of
/// JPEG the one that takes the most memory to decode, and every bit of its data is 0.
#[must_use]
pub fn progressive_cmyk(width: u16, height: u16) -> Vec<u8> {
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let channels: Vec<u8> = (1..=4).flat_map(|channel| [channel, 0x11, 0]).collect();
    // Four channels that share a table of codes; the first coefficient of each block, whole.
    let first = [4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 0, 0];
    // The other coefficients of a channel: there are none.
    let others = (1..=4).flat_map(|channel| {
        let none = vec![0; bytes_of_ended_blocks(blocks)];
        [segment(0xda, &[1, channel, 0, 1, 63, 0]), none]
    });
    let others: Vec<_> = others.collect();
    [
        vec![0xff, 0xd8],
        // Adobe's segment: the channels are inks, and stored as they are.
        segment(0xee, &[b"Adobe\0\x64\0\0\0\0\0".as_slice()].concat()),
        segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        segment(0xc2, &[&[8][..], &sides, &[4], &channels].concat()),
        // One code, of one bit: no difference to the block before.
        segment(0xc4, &[&[0, 1][..], &[0; 15], &[0]].concat()),
        // One code again: 2¹⁴ blocks and more, told in 14 bits, that end.
        segment(0xc4, &[&[0x10, 1][..], &[0; 15], &[0xe0]].concat()),
        segment(0xda, &first),
        vec![0; (4 * blocks).div_ceil(8)],
        others.concat(),
        vec![0xff, 0xd9],
    ]
    .concat()
}

/// A grey progressive picture that tells each bit of each coefficient in a scan of its own, the highest,
/// number `highest`, first: 64 scans a bit, of a few bytes each whatever the picture's size is. All of them are 0.
#[must_use]
pub fn progressive_of_single_bits(width: u16, height: u16, highest: u8) -> Vec<u8> {
    let (start, scans, end) = parts_of_single_bits(width, height, highest);
    [start, scans.concat(), end].concat()
}

/// The parts of [`progressive_of_single_bits`]: what comes before the scans, the scans, and what comes after.
#[must_use]
pub fn parts_of_single_bits(
    width: u16,
    height: u16,
    highest: u8,
) -> (Vec<u8>, Vec<Vec<u8>>, Vec<u8>) {
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let start = [
        vec![0xff, 0xd8],
        segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        segment(0xc2, &[&[8][..], &sides, &[1, 1, 0x11, 0]].concat()),
        // Of one code each, of one bit: no difference, and 2¹⁴ blocks and more, told in 14 bits, that end.
        segment(0xc4, &[&[0x00, 1][..], &[0; 15], &[0]].concat()),
        segment(0xc4, &[&[0x10, 1][..], &[0; 15], &[0xe0]].concat()),
    ];
    let scan = |coefficient: u8, bit: u8| {
        let before = if bit == highest { 0 } else { bit + 1 };
        let bytes = match coefficient {
            0 => blocks.div_ceil(8),
            _ => bytes_of_ended_blocks(blocks),
        };
        let header = [1, 1, 0, coefficient, coefficient, before << 4 | bit];
        [segment(0xda, &header), vec![0; bytes]].concat()
    };
    let bits = (0..=highest).rev();
    let scans = bits.flat_map(|bit| (0..64).map(move |coefficient| scan(coefficient, bit)));
    (start.concat(), scans.collect(), vec![0xff, 0xd9])
}

/// The length of data that says of so many blocks that they end, 2¹⁴ at a time, in 15 bits that are 0.
fn bytes_of_ended_blocks(blocks: usize) -> usize {
    (15 * blocks.div_ceil(1 << 14)).div_ceil(8)
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}
