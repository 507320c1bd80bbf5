#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use ampoule_guest_testing::webp::{
    ALPHA, ANIMATION, EXIF, anim, anmf, chunk, chunk_that_claims, file, vp8_header, vp8l, vp8x,
};

use super::picture_of;

const RED: [u8; 4] = [255, 0, 0, 255];

/// What is wrong with a file of these chunks.
#[track_caller]
fn refused(chunks: &[Vec<u8>]) -> String {
    picture_of(&file(chunks)).unwrap_err()
}

#[track_caller]
fn assert_whole(chunks: &[Vec<u8>]) {
    let file = file(chunks);
    assert_eq!(picture_of(&file).unwrap(), file);
}

#[test]
fn a_file_whose_parts_go_together_is_taken() {
    assert_whole(&[vp8l(3, 2, RED)]);
    assert_whole(&[vp8_header(3, 2)]);
    assert_whole(&[vp8x(0, 16_384, 1), vp8l(16_384, 1, RED)]);
    assert_whole(&[
        vp8x(EXIF | ALPHA, 3, 2),
        chunk(b"ICCP", b"odd"),
        chunk(b"ALPH", b"0"),
        vp8_header(3, 2),
        chunk(b"EXIF", b"odd"),
        chunk(b"WHAT", b""),
    ]);
    assert_whole(&[
        vp8x(ANIMATION | ALPHA, 9, 7),
        anim(),
        anmf(9, 7, &[vp8l(9, 7, RED)]),
        anmf(3, 2, &[chunk(b"ALPH", b"0"), vp8_header(3, 2)]),
        anmf(3, 2, &[vp8_header(3, 2), chunk(b"WHAT", b"odd")]),
    ]);
}

#[test]
fn what_comes_after_the_picture_is_not_looked_at() {
    let whole = file(&[vp8x(0, 3, 2), vp8l(3, 2, RED)]);
    // The decoder would go on to this chunk.
    let more = [&whole[..], &chunk_that_claims(u32::MAX, b"EXIF", b"")].concat();
    assert_eq!(picture_of(&more).unwrap(), whole);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let whole = file(&[vp8x(EXIF, 3, 2), vp8l(3, 2, RED), chunk(b"EXIF", b"even")]);
    for length in 0..whole.len() {
        let message = picture_of(&whole[..length]).unwrap_err();
        assert!(
            message.contains("ends before"),
            "cut to {length} bytes: {message}"
        );
    }
}

#[test]
fn a_chunk_that_is_longer_than_the_file_is_refused() {
    let picture = || vec![vp8x(EXIF, 3, 2), vp8l(3, 2, RED)];
    for claimed in [5, 6, 100, 1 << 31, u32::MAX - 1, u32::MAX] {
        let exif = chunk_that_claims(claimed, b"EXIF", b"four");
        let message = refused(&[picture(), vec![exif.clone()]].concat());
        assert!(message.contains("EXIF"), "{claimed}: {message}");
        let frame = anmf(3, 2, &[vp8l(3, 2, RED), exif]);
        refused(&[vp8x(ANIMATION, 3, 2), anim(), frame]);
    }
    refused(&[chunk_that_claims(50, b"VP8L", &[0x2f, 0, 0, 0, 0])]);
    // The last byte of padding may be missing.
    let mut odd = file(&[picture(), vec![chunk(b"EXIF", b"odd")]].concat());
    odd.pop();
    let length = odd.len() as u32 - 8;
    odd[4..8].copy_from_slice(&length.to_le_bytes());
    assert!(picture_of(&odd).is_ok());
}

#[test]
fn a_frame_of_another_size_than_the_canvas_is_refused() {
    for inner in [
        vp8_header(16_383, 16_383),
        vp8_header(3, 1),
        vp8_header(0, 2),
        vp8l(16_384, 16_384, RED),
        vp8l(2, 3, RED),
    ] {
        refused(&[vp8x(0, 3, 2), inner.clone()]);
        // The first of a kind is decoded; none may be wrong.
        refused(&[vp8x(0, 3, 2), vp8l(3, 2, RED), inner.clone()]);
        refused(&[
            vp8x(ANIMATION, 99, 99),
            anim(),
            anmf(3, 2, std::slice::from_ref(&inner)),
        ]);
        refused(&[
            vp8x(ANIMATION | ALPHA, 99, 99),
            anim(),
            anmf(3, 2, &[chunk(b"ALPH", b"0"), inner]),
        ]);
    }
}

#[test]
fn a_frame_outside_the_canvas_is_refused() {
    let frame = |width, height| anmf(width, height, &[vp8l(width, height, RED)]);
    let animation = |frame| [vp8x(ANIMATION, 9, 7), anim(), frame];
    assert_whole(&animation(frame(9, 7)));
    refused(&animation(frame(10, 7)));
    refused(&animation(frame(9, 8)));
    for (offset, position) in [(1, 0), (1, 3), (0xff, 2), (0xff, 5)] {
        let mut moved = frame(8, 6);
        moved[8 + position] = offset;
        refused(&animation(moved));
    }
}

#[test]
fn a_picture_under_another_name_is_refused() {
    let animation = |chunks: &[Vec<u8>]| [vp8x(ANIMATION, 3, 2), anim(), anmf(3, 2, chunks)];
    // The decoder takes whatever follows the transparency for a lossy picture.
    let mut renamed = vp8_header(16_383, 16_383);
    renamed[..4].copy_from_slice(b"WHAT");
    refused(&animation(&[chunk(b"ALPH", b"0"), renamed.clone()]));
    refused(&animation(&[chunk(b"ALPH", b"0"), vp8l(3, 2, RED)]));
    refused(&animation(&[chunk(b"ALPH", b"0")]));
    refused(&animation(&[renamed]));
    refused(&animation(&[]));
    refused(&[vp8x(ANIMATION, 3, 2), anim(), chunk(b"ANMF", &[0; 15])]);
    refused(&[chunk(b"WHAT", b"")]);
    refused(&[chunk(b"VP8X", &[0; 9]), vp8l(3, 2, RED)]);
    refused(&[]);
    // No key frame, and no picture.
    let mut later = vp8_header(3, 2);
    later[8] |= 1;
    refused(&[vp8x(0, 3, 2), later]);
    refused(&[vp8x(0, 3, 2), chunk(b"VP8 ", &[0; 10])]);
    refused(&[vp8x(0, 3, 2), chunk(b"VP8L", &[0; 5])]);
}
