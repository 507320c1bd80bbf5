//! Pictures that are wrong get one clear error each, and never a panic; pictures that are right get an
//! answer, in every task.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod tiny_model;

use std::io::Cursor;

use ampoule_guest::{Error, Image, ImageClassification as _, ImageEmbedding as _, TextGeneration};
use ampoule_tiny_vlm::TinyVlm;
use image::{DynamicImage, ImageFormat, RgbImage};
use tiny_model::{TinyModel, ask};

const CMYK: &[u8] = include_bytes!("../../../picture/tests/pictures/cmyk.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("../../../picture/tests/pictures/progressive.jpg");
const LOSSY_WEBP: &[u8] = include_bytes!("../../../picture/tests/pictures/lossy.webp");
const ANIMATED_WEBP: &[u8] = include_bytes!("../../../picture/tests/pictures/animated.webp");
const ANIMATED_PNG: &[u8] = include_bytes!("../../../picture/tests/pictures/animated.png");
const TURNED: &[u8] = include_bytes!("../../../picture/tests/pictures/orientation_6.jpg");

fn model() -> TinyVlm {
    TinyModel::new().load().unwrap()
}

/// A small picture in some format.
fn encoded(format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_fn(31, 20, |x, y| {
        [(x * 8) as u8, (y * 12) as u8, (x * y) as u8].into()
    });
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(picture)
        .write_to(&mut file, format)
        .unwrap();
    file.into_inner()
}

/// Everything that the model does with a picture. The first error, if there is one.
fn use_everywhere(model: &TinyVlm, file: &[u8]) -> Result<(), Error> {
    let image = || Image::Encoded(file.to_vec());
    let embedded = model.embed(&[image()]).map(|_| ());
    let classified = model.classify(image(), 3).map(|_| ());
    let mut request = ask(vec![image()], "Why?");
    request.max_output_tokens = 2;
    let generated = model
        .generate(request)
        .and_then(|mut generation| TextGeneration::next(model, &mut generation))
        .map(|_| ());
    let code = |result: &Result<(), Error>| result.as_ref().err().map(|error| error.code.clone());
    assert_eq!(code(&embedded), code(&classified));
    assert_eq!(code(&embedded), code(&generated));
    embedded
}

#[track_caller]
fn assert_refused(model: &TinyVlm, file: &[u8], code: &str) -> Error {
    let error = use_everywhere(model, file).unwrap_err();
    assert_eq!(error.code, code, "{}", error.message);
    error
}

/// The checksum of a PNG chunk (PNG specification, annex D).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// A PNG file whose header says that it has these dimensions.
fn png_that_says(width: u32, height: u32) -> Vec<u8> {
    let mut file = encoded(ImageFormat::Png);
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&crc.to_be_bytes());
    file
}

#[test]
fn every_kind_of_picture_gets_an_answer_in_every_task() {
    let model = model();
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        use_everywhere(&model, &encoded(format)).unwrap();
    }
    for file in [
        CMYK,
        PROGRESSIVE,
        LOSSY_WEBP,
        ANIMATED_WEBP,
        ANIMATED_PNG,
        TURNED,
    ] {
        use_everywhere(&model, file).unwrap();
    }
}

#[test]
fn what_is_no_picture_is_refused() {
    let model = model();
    for file in [
        &b""[..],
        b"A text that somebody named picture.png.\n",
        b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
        b"BM\x1e\x00\x00\x00",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        b"RIFF\x04\x00\x00\x00WEBP",
        &[0; 4096],
        &[0xff; 4096],
    ] {
        let error = assert_refused(&model, file, "input.image");
        assert!(error.message.starts_with("expected"), "{}", error.message);
    }
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let model = model();
    let bomb = png_that_says(30_000, 30_000);
    assert!(bomb.len() < 2_000);
    let error = assert_refused(&model, &bomb, "input.too-large");
    assert!(error.message.contains("30000 × 30000"), "{}", error.message);
    for (width, height) in [(i32::MAX as u32, i32::MAX as u32), (1, i32::MAX as u32)] {
        assert_refused(&model, &png_that_says(width, height), "input.too-large");
    }
    // The dimensions of a JPEG follow its frame marker and one byte.
    let mut jpeg = encoded(ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]);
    jpeg[frame.unwrap() + 5..][..4].fill(0xff);
    assert_refused(&model, &jpeg, "input.too-large");
}

#[test]
fn a_checksum_that_is_wrong_is_refused() {
    let model = model();
    let good = encoded(ImageFormat::Png);
    let data = good.windows(4).position(|name| name == b"IDAT").unwrap();
    for position in [29, data + 4, data + 30, good.len() - 13] {
        let mut file = good.clone();
        file[position] ^= 1;
        assert_refused(&model, &file, "input.image");
    }
    // What the checksum is of is another matter than whether it is there.
    assert_eq!(png_that_says(31, 20), good);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let model = model();
    for (file, needed) in [
        // The end marker of a JPEG says only that it has ended.
        (encoded(ImageFormat::Jpeg), 2),
        (PROGRESSIVE.to_vec(), 2),
        (CMYK.to_vec(), 2),
        (encoded(ImageFormat::WebP), 1),
        (LOSSY_WEBP.to_vec(), 1),
        // The last chunk of a PNG says only that it was the last.
        (encoded(ImageFormat::Png), 12),
    ] {
        for length in (0..file.len() - needed).rev().step_by(5).chain(0..40) {
            assert_refused(&model, &file[..length], "input.image");
        }
    }
}

#[test]
fn the_picture_that_is_wrong_is_named() {
    let model = model();
    let good = encoded(ImageFormat::Png);
    let with_second = |second: Vec<u8>| {
        [good.clone(), second, good.clone()]
            .into_iter()
            .map(Image::Encoded)
            .collect::<Vec<_>>()
    };
    // No picture at all: said before any work is done.
    let error = model.generate(ask(with_second(b"text".to_vec()), "Why?"));
    let error = error.err().unwrap();
    assert_eq!(error.code, "input.image");
    assert!(
        error.message.starts_with("picture 2 of 3: "),
        "{}",
        error.message
    );
    let error = model.embed(&with_second(b"text".to_vec())).unwrap_err();
    assert!(
        error.message.starts_with("picture 2 of 3: "),
        "{}",
        error.message
    );

    // A picture whose header is good: said when its turn comes.
    let mut broken = good.clone();
    let data = broken.windows(4).position(|name| name == b"IDAT").unwrap();
    broken[data + 30] ^= 1;
    let mut generation = model.generate(ask(with_second(broken), "Why?")).unwrap();
    let mut text = String::new();
    let error = loop {
        match TextGeneration::next(&model, &mut generation) {
            Ok(chunk) => text.push_str(&chunk.unwrap().text),
            Err(error) => break error,
        }
    };
    assert!(text.starts_with("Image 1: ") && !text.contains("Image 2"));
    assert_eq!(error.code, "input.image");
    assert!(
        error.message.starts_with("picture 2 of 3: "),
        "{}",
        error.message
    );
}

#[test]
fn a_hundred_pictures_are_answered_for() {
    let model = model();
    let images = vec![Image::Encoded(encoded(ImageFormat::Png)); 100];
    let mut request = ask(images, "Why?");
    request.max_output_tokens = u32::MAX;
    let mut generation = model.generate(request).unwrap();
    let mut text = String::new();
    let finish = loop {
        let chunk = TextGeneration::next(&model, &mut generation)
            .unwrap()
            .unwrap();
        text.push_str(&chunk.text);
        if let Some(finish) = chunk.finish {
            break finish;
        }
    };
    assert!(text.contains("\nImage 100: "));
    assert!(finish.usage.input_tokens >= 100);
}
