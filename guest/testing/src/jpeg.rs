//! JPEG files put together by hand (ITU-T T.81).

/// A progressive picture of four channels in one colour, as print shops have them: of all kinds of
/// JPEG the one that takes the most memory to decode, and every bit of its data is 0.
#[must_use]
pub fn progressive_cmyk(width: u16, height: u16) -> Vec<u8> {
    let blocks = usize::from(width.div_ceil(8)) * usize::from(height.div_ceil(8));
    let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
    let channels: Vec<u8> = (1..=4).flat_map(|channel| [channel, 0x11, 0]).collect();
    // Four channels that share a table of codes; the first coefficient of each block, whole.
    let scan = [4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 0, 0];
    [
        vec![0xff, 0xd8],
        // Adobe's segment: the channels are inks, and stored as they are.
        segment(0xee, &[b"Adobe\0\x64\0\0\0\0\0".as_slice()].concat()),
        segment(0xdb, &[&[0][..], &[1; 64]].concat()),
        segment(0xc2, &[&[8][..], &sides, &[4], &channels].concat()),
        // One code, of one bit: no difference to the block before.
        segment(0xc4, &[&[0, 1][..], &[0; 15], &[0]].concat()),
        segment(0xda, &scan),
        vec![0; (4 * blocks).div_ceil(8)],
        vec![0xff, 0xd9],
    ]
    .concat()
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16 + 2).to_be_bytes();
    [&[0xff, marker], &length[..], content].concat()
}
