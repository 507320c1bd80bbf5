//! The largest pictures that a model takes, of the kinds that need the most memory to decode, through the sandbox:
//! each is answered within the memory that the built-in bundle asks for.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::LazyLock;
use std::time::Duration;

use ampoule::{ByteSize, Content, GenerationRequest, Image, Model};
use ampoule_guest_testing::{jpeg, webp};
use ampoule_tests::{block_on, built_in_with_deadline, workspace_file};

/// Pixels of a side; the guest takes no more than the square of it.
const SIDE: u16 = 4_096;

/// Deadline that none of them reaches, on however busy a machine.
const DEADLINE: Duration = Duration::from_secs(120);

static MODEL: LazyLock<Model> = LazyLock::new(|| built_in_with_deadline(DEADLINE));

/// Asks about a picture; returns the answer, and the most memory that the sandbox held.
fn describe(pictures: &[Vec<u8>]) -> (String, ByteSize) {
    let mut request = GenerationRequest::question("describe the image.", 64);
    let pictures = pictures.iter().cloned().map(Image::Encoded);
    request.messages[0]
        .content
        .splice(0..0, pictures.map(Content::Image));
    // It is loaded out here: that blocks.
    let model = &*MODEL;
    block_on(async {
        let mut generation = model.generate(request).await.unwrap();
        let mut text = String::new();
        while let Some(chunk) = generation.next().await.unwrap() {
            text.push_str(&chunk.text);
        }
        (text, generation.report().peak_memory)
    })
}

/// A progressive JPEG of four channels: its decoder holds all of its coefficients.
fn print_colours(side: u16) -> Vec<u8> {
    jpeg::progressive_cmyk(side, side)
}

/// An animated WebP whose first frame is lossless: the frame, the canvas and the picture are there at
/// once, of four bytes a pixel each.
fn lossless_animation(side: u16) -> Vec<u8> {
    let side = u32::from(side);
    animation(side, &[webp::vp8l(side, side, [220, 20, 20, 200])])
}

/// An animated WebP whose first frame is lossy, with its transparency in a lossless picture of its own.
fn lossy_animation(side: u16) -> Vec<u8> {
    animation(side.into(), &[webp::alph(200), webp::vp8(side, side)])
}

fn animation(side: u32, frame: &[Vec<u8>]) -> Vec<u8> {
    webp::file(&[
        webp::vp8x(webp::ANIMATION | webp::ALPHA, side, side),
        webp::anim(),
        webp::anmf(side, side, frame),
    ])
}

#[test]
fn a_picture_of_as_many_pixels_as_there_may_be_is_answered_as_a_small_one_is() {
    for kind in [print_colours, lossless_animation, lossy_animation] {
        assert_eq!(describe(&[kind(SIDE)]).0, describe(&[kind(96)]).0);
    }
}

#[test]
fn a_picture_of_as_many_bytes_as_there_may_be_gets_the_right_answer() {
    let png = std::fs::read(workspace_file("tests/pictures/circle_large.png")).unwrap();
    assert_eq!(describe(&[png]).0, "A red circle.");
}

#[test]
fn large_pictures_one_after_another_take_no_more_memory_than_one() {
    let kinds = [print_colours, lossy_animation, lossless_animation];
    let (text, memory) = describe(&kinds.map(|kind| kind(SIDE)));
    assert_eq!(text, describe(&kinds.map(|kind| kind(96))).0);
    let (_, of_one) = describe(&[lossy_animation(SIDE)]);
    assert!(
        memory.bytes() < of_one.bytes() + (4 << 20),
        "{memory} and {of_one}"
    );
}
