#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use ampoule_guest_testing::webp::{
    ALPHA, ANIMATION, EXIF, alph, anim, anmf, chunk, chunk_that_claims, file, vp8_header, vp8l,
    vp8x,
};

use super::{metadata_of, picture_of};

const RED: [u8; 4] = [255, 0, 0, 255];

/// Returns the reason for which a file of these chunks is refused.
#[track_caller]
fn refused(chunks: &[Vec<u8>]) -> String {
    picture_of(&file(chunks)).unwrap_err()
}

/// Fails unless the picture of a file is a file of these chunks.
#[track_caller]
fn assert_picture(chunks: &[Vec<u8>], expected: &[Vec<u8>]) {
    assert_eq!(picture_of(&file(chunks)).unwrap(), file(expected));
}

#[test]
fn a_file_whose_parts_go_together_is_taken() {
    let (lossless, lossy) = (|| vp8l(3, 2, RED), || vp8_header(3, 2));
    assert_picture(&[lossless()], &[lossless()]);
    assert_picture(&[lossy()], &[lossy()]);
    assert_picture(
        &[vp8x(0, 16_384, 1), vp8l(16_384, 1, RED)],
        &[vp8l(16_384, 1, RED)],
    );
    assert_picture(
        &[
            vp8x(EXIF | ALPHA, 3, 2),
            chunk(b"ICCP", b"odd"),
            alph(7),
            lossy(),
            chunk(b"EXIF", b"odd"),
            chunk(b"WHAT", b""),
        ],
        &[vp8x(ALPHA, 3, 2), alph(7), lossy()],
    );
    let frame = || anmf(9, 7, &[vp8l(9, 7, RED)]);
    assert_picture(
        &[
            vp8x(ANIMATION | ALPHA | EXIF, 9, 7),
            anim(),
            frame(),
            anmf(3, 2, &[chunk(b"ALPH", b"0"), lossy()]),
            anmf(3, 2, &[lossy(), chunk(b"WHAT", b"odd")]),
        ],
        &[vp8x(ANIMATION | ALPHA, 9, 7), anim(), frame()],
    );
}

/// Tools that strip metadata leave the flags, and libwebp reads past them.
#[test]
fn flags_without_their_chunk_and_chunks_without_their_flag_are_read_as_by_libwebp() {
    let lossy = || vp8_header(3, 2);
    for flags in [0, EXIF, ALPHA, 0x04, 0x20, 0x3c] {
        assert_picture(&[vp8x(flags, 3, 2), lossy()], &[lossy()]);
        // It takes a chunk, before the picture, and the flag to make a picture see-through.
        let see_through = [vp8x(flags, 3, 2), alph(7), lossy()];
        if flags & ALPHA != 0 {
            assert_picture(&see_through, &[vp8x(ALPHA, 3, 2), alph(7), lossy()]);
        } else {
            assert_picture(&see_through, &[lossy()]);
        }
        assert_picture(&[vp8x(flags, 3, 2), lossy(), alph(7)], &[lossy()]);
        // A lossless picture has its own.
        let lossless = || vp8l(3, 2, RED);
        assert_picture(&[vp8x(flags, 3, 2), alph(7), lossless()], &[lossless()]);
        // No animation is announced.
        let frame = anmf(3, 2, &[lossless()]);
        assert_picture(&[vp8x(flags, 3, 2), lossy(), anim(), frame], &[lossy()]);
    }
    for frame in [vec![vp8l(3, 2, RED)], vec![alph(7), lossy()]] {
        let message = refused(&[vp8x(ANIMATION, 3, 2), anim(), anmf(3, 2, &frame)]);
        assert!(message.contains("see-through"), "{message}");
    }
    refused(&[vp8x(ANIMATION, 3, 2), lossy()]);
    refused(&[vp8x(ANIMATION, 3, 2), anim(), lossy()]);
    refused(&[vp8x(ANIMATION, 3, 2), anmf(3, 2, &[lossy()])]);
    refused(&[vp8x(0, 3, 2), anim(), anmf(3, 2, &[lossy()])]);
    refused(&[vp8x(EXIF, 3, 2), chunk(b"EXIF", b"even")]);
}

#[test]
fn metadata_that_the_flags_announce_is_found_and_no_other() {
    let parts = |flags| {
        let parts = [
            vp8x(flags, 3, 2),
            chunk(b"XMP ", b"odd"),
            vp8_header(3, 2),
            chunk(b"EXIF", b"first"),
            chunk(b"EXIF", b"second"),
        ];
        file(&parts)
    };
    let (exif, xmp) = (Some(&b"first"[..]), Some(&b"odd"[..]));
    assert_eq!(metadata_of(&parts(EXIF | 0x04)), [exif, xmp]);
    assert_eq!(metadata_of(&parts(EXIF)), [exif, None]);
    assert_eq!(metadata_of(&parts(0x04)), [None, xmp]);
    assert_eq!(metadata_of(&parts(0)), [None, None]);
    let whole = parts(EXIF | 0x04);
    for length in 0..whole.len() {
        assert_eq!(metadata_of(&whole[..length]), [None, None]);
    }
}

#[test]
fn what_comes_after_the_picture_is_not_looked_at() {
    let whole = file(&[vp8x(EXIF, 3, 2), vp8l(3, 2, RED)]);
    // A decoder may go on to these chunks.
    for length in [4, u32::MAX] {
        let more = [&whole[..], &chunk_that_claims(length, b"EXIF", b"even")].concat();
        assert_eq!(picture_of(&more).unwrap(), file(&[vp8l(3, 2, RED)]));
        assert_eq!(metadata_of(&more), [None, None]);
    }
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
    let animation = |frame| [vp8x(ANIMATION | ALPHA, 9, 7), anim(), frame];
    assert_picture(&animation(frame(9, 7)), &animation(frame(9, 7)));
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
