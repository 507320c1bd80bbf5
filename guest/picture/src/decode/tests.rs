#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::io::Cursor;

use ampoule_guest::Rgb8Image;
use ampoule_guest_testing::webp;
use image::{DynamicImage, ImageBuffer, Pixel};

use super::*;

/// A file of `tests/pictures`.
macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/pictures/", $name)).to_vec()
    };
}

const WIDTH: u32 = 24;
const HEIGHT: u32 = 16;

/// Returns the colour of a pixel of the pictures in `tests/pictures`.
fn quarter(x: u32, y: u32) -> [u8; 3] {
    match (x < WIDTH / 2, y < HEIGHT / 2) {
        (true, true) => [224, 32, 32],
        (false, true) => [32, 192, 64],
        (true, false) => [48, 64, 208],
        (false, false) => [160, 160, 160],
    }
}

/// Pixels beside an edge that a format which stores colours at half the resolution blurs.
const BLURRED: u32 = 2;

/// Fails unless `file` shows the quarters, with each channel off by at most `tolerance`; where that is
/// not 0, [`BLURRED`] pixels are left out.
#[track_caller]
fn assert_shows_quarters(file: Vec<u8>, tolerance: u8) {
    let image = Image::Encoded(file);
    check(&image).unwrap();
    let picture = decode(&image).unwrap();
    assert_eq!((picture.width, picture.height), (WIDTH, HEIGHT));
    for (index, pixel) in picture.pixels.chunks_exact(3).enumerate() {
        let (x, y) = (index as u32 % WIDTH, index as u32 / WIDTH);
        let near = |at: u32, edge: u32| (edge - BLURRED..edge + BLURRED).contains(&at);
        if tolerance > 0 && (near(x, WIDTH / 2) || near(y, HEIGHT / 2)) {
            continue;
        }
        for (found, expected) in pixel.iter().zip(quarter(x, y)) {
            assert!(
                found.abs_diff(expected) <= tolerance,
                "{x}, {y}: {pixel:?} for {:?}",
                quarter(x, y)
            );
        }
    }
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.into().write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// The pixels of a picture that has one pixel, stored as PNG.
fn one_pixel<P>(pixel: P) -> [u8; 3]
where
    P: Pixel + image::PixelWithColorType,
    [P::Subpixel]: image::EncodableLayout,
    DynamicImage: From<ImageBuffer<P, Vec<P::Subpixel>>>,
{
    let file = encoded(ImageBuffer::from_pixel(1, 1, pixel), ImageFormat::Png);
    decode(&Image::Encoded(file)).unwrap().pixels[..]
        .try_into()
        .unwrap()
}

#[test]
fn every_format_shows_what_was_put_in() {
    let picture = || RgbImage::from_fn(WIDTH, HEIGHT, |x, y| quarter(x, y).into());
    assert_shows_quarters(encoded(picture(), ImageFormat::Png), 0);
    assert_shows_quarters(encoded(picture(), ImageFormat::WebP), 0);
    assert_shows_quarters(encoded(picture(), ImageFormat::Jpeg), 12);
    assert_shows_quarters(file!("progressive.jpg"), 6);
    assert_shows_quarters(file!("lossy.webp"), 12);
}

#[test]
fn print_colours_become_screen_colours() {
    assert_shows_quarters(file!("cmyk.jpg"), 8);
}

#[test]
fn an_animation_is_its_first_frame() {
    assert_shows_quarters(file!("animated.webp"), 0);
    assert_shows_quarters(file!("animated.png"), 0);
}

#[test]
fn a_picture_is_turned_the_way_its_camera_was_held() {
    assert_shows_quarters(file!("orientation_3.jpg"), 6);
    assert_shows_quarters(file!("orientation_6.jpg"), 6);
}

#[test]
fn xmp_turns_a_jpeg_that_has_no_orientation_in_its_exif() {
    let plain = file!("progressive.jpg");
    let with = |name: &[u8], content: &[u8]| {
        let length = (2 + name.len() + content.len()) as u16;
        let segment = [b"\xff\xe1", &length.to_be_bytes()[..], name, content].concat();
        [&plain[..2], &segment, &plain[2..]].concat()
    };
    let pixels = |file| decode(&Image::Encoded(file)).unwrap().pixels.into_owned();
    let upright = pixels(plain.clone());
    let upside_down: Vec<u8> = upright.rchunks(3).flatten().copied().collect();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0";
    let turned = with(xmp, b"<rdf:Description tiff:Orientation=\"3\"/>");
    assert_eq!(pixels(turned), upside_down);
    let element = with(xmp, b"<tiff:Orientation>3</tiff:Orientation>");
    assert_eq!(pixels(element), upside_down);
    let another_name = with(b"http://example.com/\0", b"tiff:Orientation=\"3\"");
    assert_eq!(pixels(another_name), upright);
}

#[test]
fn every_kind_of_pixel_becomes_three_bytes() {
    use image::{Luma, LumaA, Rgb, Rgba};

    assert_eq!(one_pixel(Luma([77u8])), [77, 77, 77]);
    assert_eq!(one_pixel(Rgb([1u8, 2, 3])), [1, 2, 3]);
    // What is transparent shows the white behind it, unless another colour is asked for.
    assert_eq!(one_pixel(LumaA([77u8, 255])), [77, 77, 77]);
    assert_eq!(one_pixel(LumaA([77u8, 0])), [255, 255, 255]);
    assert_eq!(one_pixel(Rgba([0u8, 100, 200, 255])), [0, 100, 200]);
    assert_eq!(one_pixel(Rgba([0u8, 100, 200, 0])), [255, 255, 255]);
    assert_eq!(one_pixel(Rgba([0u8, 100, 200, 51])), [204, 224, 244]);
    // 257 is one step of 8 bits in 16.
    assert_eq!(one_pixel(Luma([77u16 * 257])), [77, 77, 77]);
    assert_eq!(one_pixel(Luma([77u16 * 257 + 129])), [78, 78, 78]);
    assert_eq!(one_pixel(LumaA([65_535u16, 65_535])), [255, 255, 255]);
    assert_eq!(one_pixel(Rgb([0u16, 128, 65_535])), [0, 0, 255]);
    assert_eq!(
        one_pixel(Rgba([0u16, 100 * 257, 200 * 257, 51 * 257])),
        [204, 224, 244]
    );
}

#[test]
fn what_is_see_through_shows_the_colour_that_is_asked_for() {
    let pixel = image::Rgba([0u8, 100, 200, 51]);
    let file = encoded(ImageBuffer::from_pixel(1, 1, pixel), ImageFormat::Png);
    let image = Image::Encoded(file);
    assert_eq!(*decode_on(&image, [0, 0, 0]).unwrap().pixels, [0, 20, 40]);
    let picture = decode_on(&image, [10, 20, 30]).unwrap();
    assert_eq!(*picture.pixels, [8, 36, 64]);
    assert_eq!(
        decode_on(&image, [255; 3]).unwrap(),
        decode(&image).unwrap()
    );
}

#[test]
fn plain_pixels_are_taken_as_they_are() {
    let image = |width, height, pixels: usize| {
        Image::Rgb8(Rgb8Image {
            width,
            height,
            pixels: vec![9; pixels],
        })
    };
    let picture = image(2, 3, 18);
    assert!(matches!(
        decode(&picture).unwrap().pixels,
        Cow::Borrowed([9, ..])
    ));
    for (wrong, code) in [
        (image(2, 3, 17), "input.image"),
        (image(2, 3, 19), "input.image"),
        (image(0, 3, 0), "input.image"),
        (image(3, 0, 0), "input.image"),
        (image(u32::MAX, u32::MAX, 3), "input.too-large"),
        (image(4096, 4097, 3), "input.too-large"),
        (image(1, 32_769, 3 * 32_769), "input.too-large"),
        (image(32_769, 1, 3 * 32_769), "input.too-large"),
    ] {
        assert_eq!(decode(&wrong).unwrap_err().code, code);
        assert_eq!(check(&wrong).unwrap_err().code, code);
    }
}

#[test]
fn a_picture_of_as_many_pixels_as_there_may_be_is_read() {
    let file = encoded(image::GrayImage::new(4096, 4096), ImageFormat::Png);
    let image = Image::Encoded(file);
    assert_eq!(decode(&image).unwrap().pixels.len(), 4096 * 4096 * 3);
    let file = encoded(image::GrayImage::new(4096, 4097), ImageFormat::Png);
    let image = Image::Encoded(file);
    assert_eq!(check(&image).unwrap_err().code, "input.too-large");
}

/// The corpus that fuzzing left, with a picture of each kind that it began with.
#[test]
fn the_corpus_of_the_fuzzer_gives_pictures_or_clear_errors() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/picture");
    let (mut read, mut refused) = (0, 0);
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let image = Image::Encoded(std::fs::read(&path).unwrap());
        match decode(&image) {
            Ok(picture) => {
                let pixels = u64::from(picture.width) * u64::from(picture.height);
                assert_eq!(picture.pixels.len() as u64, 3 * pixels, "{path:?}");
                read += 1;
            }
            Err(error) => {
                let code = &*error.code;
                assert!(
                    matches!(code, "input.image" | "input.too-large"),
                    "{path:?}: {code}"
                );
                refused += 1;
            }
        }
    }
    assert!(read > 10 && refused > 5, "{read} and {refused} in {corpus}");
}

/// Scaling would take memory for every pixel of the longer side.
#[test]
fn a_picture_may_be_long_and_thin_and_no_more() {
    for (width, height, is_read) in [
        (MAX_SIDE, 1, true),
        (1, MAX_SIDE, true),
        (MAX_SIDE + 1, 1, false),
        (1, MAX_SIDE + 1, false),
        (MAX_PIXELS as u32, 1, false),
    ] {
        let file = encoded(image::GrayImage::new(width, height), ImageFormat::Png);
        let found = decode(&Image::Encoded(file)).map(|picture| picture.pixels.len());
        let found = found.map_err(|error| error.code);
        let expected = Ok((width * height * 3) as usize);
        let refused = Err("input.too-large".to_owned());
        assert_eq!(found, if is_read { expected } else { refused }, "{width}");
    }
}

#[track_caller]
fn assert_broken(chunks: &[Vec<u8>]) {
    let image = Image::Encoded(webp::file(chunks));
    let error = decode(&image).unwrap_err();
    assert_eq!(error.code, "input.image", "{}", error.message);
    assert_eq!(check(&image).unwrap_err().code, "input.image");
}

#[test]
fn metadata_longer_than_its_file_takes_no_memory() {
    let picture = |length| {
        let exif = webp::chunk_that_claims(length, b"EXIF", b"MM\0*");
        let shown = webp::vp8l(1, 1, [7, 8, 9, 255]);
        [webp::vp8x(webp::EXIF, 1, 1), shown, exif]
    };
    let whole = Image::Encoded(webp::file(&picture(4)));
    assert_eq!(*decode(&whole).unwrap().pixels, [7, 8, 9]);
    assert_broken(&picture(u32::MAX));
}

#[test]
fn a_frame_larger_than_its_picture_takes_no_memory() {
    let lossy = file!("lossy.webp");
    let frame = lossy[12..].to_vec();
    assert_broken(&[webp::vp8x(0, 1, 1), webp::vp8_header(16_383, 16_383)]);
    assert_broken(&[webp::vp8x(0, 1, 1), frame.clone()]);
    let transparent = webp::alph(255);
    let animation = |width, height| {
        [
            webp::vp8x(webp::ANIMATION | webp::ALPHA, WIDTH, HEIGHT),
            webp::anim(),
            webp::anmf(width, height, &[transparent.clone(), frame.clone()]),
        ]
    };
    assert!(decode(&Image::Encoded(webp::file(&animation(WIDTH, HEIGHT)))).is_ok());
    assert_broken(&animation(1, 1));
    assert_broken(&animation(WIDTH, HEIGHT - 1));
}

#[test]
fn a_webp_file_that_is_cut_short_is_refused() {
    for file in [file!("lossy.webp"), file!("animated.webp")] {
        for length in 0..file.len() {
            let error = decode(&Image::Encoded(file[..length].to_vec())).unwrap_err();
            assert_eq!(error.code, "input.image", "{length}: {}", error.message);
        }
    }
}

#[test]
fn a_byte_changed_anywhere_gives_a_picture_or_a_clear_error() {
    let picture = || RgbImage::from_fn(31, 20, |x, y| [(x * 8) as u8, (y * 12) as u8, 77].into());
    let mut refused = 0;
    for file in [
        encoded(picture(), ImageFormat::Png),
        encoded(picture(), ImageFormat::Jpeg),
        encoded(picture(), ImageFormat::WebP),
        file!("cmyk.jpg"),
        file!("progressive.jpg"),
        file!("lossy.webp"),
        file!("animated.webp"),
        file!("animated.png"),
        file!("orientation_6.jpg"),
    ] {
        for position in 0..file.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut file = file.clone();
                file[position] ^= change;
                match decode(&Image::Encoded(file)) {
                    Ok(picture) => {
                        let pixels = u64::from(picture.width) * u64::from(picture.height);
                        assert_eq!(picture.pixels.len() as u64, 3 * pixels);
                    }
                    Err(error) => {
                        assert!(
                            matches!(&error.code[..], "input.image" | "input.too-large"),
                            "byte {position}: {}: {}",
                            error.code,
                            error.message
                        );
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(refused > 1_000, "{refused}");
}
