//! Pictures of every kind, through the sandbox, to the built-in model: an unusual one gets the right
//! answer, a broken one a clear `input.*` error, and none a trap.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::LazyLock;

use ampoule::{Content, Error, GenerationRequest, Image, Model};
use ampoule_guest_testing::webp;
use ampoule_tests::{block_on, built_in, png_header, workspace_file};

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let (host, bundle) = built_in();
    block_on(host.load_bundle(bundle)).unwrap()
});

fn file(path: &str) -> Vec<u8> {
    std::fs::read(workspace_file(path)).unwrap()
}

fn ask_of(pictures: Vec<Vec<u8>>, question: &str) -> Result<String, Error> {
    let mut request = GenerationRequest::question(question, 64);
    let pictures = pictures.into_iter().map(Image::Encoded).map(Content::Image);
    request.messages[0].content.splice(0..0, pictures);
    let model = &*MODEL;
    block_on(async {
        let mut generation = model.generate(request).await?;
        let mut text = String::new();
        while let Some(chunk) = generation.next().await? {
            text.push_str(&chunk.text);
        }
        Ok(text)
    })
}

fn ask(picture: Vec<u8>) -> Result<String, Error> {
    ask_of(vec![picture], "describe the image.")
}

#[track_caller]
fn assert_refused(picture: Vec<u8>, code: &str) {
    let error = ask(picture).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    // And the next request is served.
    assert_eq!(
        ask(file("tests/pictures/circle.png")).unwrap(),
        "A red circle."
    );
}

#[test]
fn unusual_encodings_of_a_picture_get_the_same_right_answer() {
    for name in [
        "circle.png",
        "circle_16_bit.png",
        "circle_animated.webp",
        "circle_cmyk.jpeg",
        "circle_palette.png",
        "circle_progressive.jpeg",
        "circle_see_through.png",
    ] {
        let answer = ask(file(&format!("tests/pictures/{name}"))).unwrap();
        assert_eq!(answer, "A red circle.", "{name}");
    }
}

/// The pixels are equal to the bit, and so the vectors are.
#[test]
fn a_jpeg_of_a_rare_kind_gets_the_vector_of_its_reference() {
    let folder = "tests/pictures/conformance";
    let list = String::from_utf8(file(&format!("{folder}/jpeg.tsv"))).unwrap();
    for name in [
        "colour-jfif-adobe-0.jpg",
        "end-none.jpg",
        "fill-before-every-marker.jpg",
        "inks-ycck-420.jpg",
        "progressive-deep-refinement-2x2.jpg",
        "sampling-3x1.jpg",
        "sampling-luma-coarse.jpg",
        "scans-apart-reversed-2x2.jpg",
        "scans-luma-then-chroma-2x2.jpg",
        "tables-none-of-huffman.jpg",
    ] {
        let reference = list.lines().find_map(|line| line.strip_prefix(name));
        let reference = reference.unwrap().trim_start();
        let images = [
            format!("{folder}/jpeg/{name}"),
            format!("{folder}/reference/{reference}"),
        ];
        let images = images.map(|path| Image::Encoded(file(&path))).to_vec();
        let answer = block_on(MODEL.embed_images(images)).unwrap();
        let vectors: Vec<_> = answer.output.vectors().collect();
        assert_eq!(vectors[0], vectors[1], "{name}");
    }
}

#[test]
fn a_jpeg_of_a_kind_that_is_not_read_is_refused_by_its_name() {
    for (name, word) in [
        ("arithmetic", "arithmetic-coded"),
        ("12-bits", "12 bits"),
        ("lossless", "lossless"),
        ("height-later", "DNL"),
        ("progressive-not-all-scans", "all of its scans"),
    ] {
        let picture = file(&format!(
            "tests/pictures/conformance/jpeg/refused-{name}.jpg"
        ));
        let error = ask(picture).unwrap_err();
        assert_eq!(error.code(), "input.image", "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

/// Tools leave such files that strip metadata, or that do not know WebP.
#[test]
fn a_webp_whose_header_promises_what_is_not_there_gets_the_same_answer() {
    let red = || webp::vp8l(96, 96, [220, 20, 20, 255]);
    let expected = ask(webp::file(&[red()])).unwrap();
    for flags in [webp::EXIF, webp::ALPHA, 0x04, 0x20, 0x3c] {
        let answer = ask(webp::file(&[webp::vp8x(flags, 96, 96), red()]));
        assert_eq!(answer.unwrap(), expected, "{flags:#x}");
    }
}

#[test]
fn a_decompression_bomb_is_refused() {
    let bomb = file("tests/pictures/bomb.png");
    assert!(bomb.len() < 200_000, "small is what makes it a bomb");
    assert_refused(bomb, "input.too-large");
    // One that the header admits, with nothing behind it.
    assert_refused(png_header(4_096, 4_096), "input.image");
}

#[test]
fn a_jpeg_that_is_cut_short_is_refused() {
    let whole = file("samples/crowd.jpeg");
    for length in [whole.len() / 2, whole.len() - 100] {
        assert_refused(whole[..length].to_vec(), "input.image");
    }
}

#[test]
fn a_png_with_a_wrong_checksum_is_refused() {
    let mut png = file("tests/pictures/circle.png");
    let data = png.windows(4).position(|kind| kind == b"IDAT").unwrap();
    let length = u32::from_be_bytes(png[data - 4..data].try_into().unwrap()) as usize;
    png[data + 4 + length] ^= 1;
    assert_refused(png, "input.image");
}

/// A few hundred bytes would make the decoder take more memory than there is, or write past its own.
#[test]
fn a_webp_whose_parts_do_not_go_together_is_refused() {
    let red = || webp::vp8l(96, 96, [220, 20, 20, 255]);
    let metadata = webp::chunk_that_claims(u32::MAX, b"EXIF", b"MM\0*");
    let lossy = file("guest/picture/tests/pictures/lossy.webp")[12..].to_vec();
    let transparent = webp::alph(255);
    for chunks in [
        vec![webp::vp8x(webp::EXIF, 96, 96), red(), metadata],
        vec![webp::vp8x(0, 1, 1), webp::vp8_header(16_383, 16_383)],
        vec![
            webp::vp8x(webp::ANIMATION | webp::ALPHA, 96, 96),
            webp::anim(),
            webp::anmf(1, 1, &[transparent, lossy]),
        ],
        vec![
            webp::vp8x(webp::ANIMATION, 95, 96),
            webp::anim(),
            webp::anmf(96, 96, &[red()]),
        ],
    ] {
        assert_refused(webp::file(&chunks), "input.image");
    }
}

/// Scaling would take memory for every pixel of the longer side.
#[test]
fn a_picture_that_is_nothing_but_long_is_refused() {
    for name in ["line.png", "column.png"] {
        let line = file(&format!("tests/pictures/{name}"));
        assert!(line.len() < 50_000);
        assert_refused(line, "input.too-large");
    }
}

#[test]
fn what_is_no_picture_is_refused() {
    assert_refused(
        b"Dear reader, this is a letter.\n".to_vec(),
        "input.invalid",
    );
    assert_refused(Vec::new(), "input.invalid");
}

#[test]
fn a_prompt_over_the_limit_is_refused() {
    let circle = || vec![file("tests/pictures/circle.png")];
    let over_the_host = ask_of(circle(), &"how many shapes? ".repeat(100)).unwrap_err();
    assert_eq!(over_the_host.code(), "input.too-large");
    let over_the_model = ask_of(circle(), &"how many shapes? ".repeat(50)).unwrap_err();
    assert_eq!(over_the_model.code(), "input.too-large", "{over_the_model}");
    assert_eq!(ask_of(circle(), "").unwrap_err().code(), "input.empty");
}

#[test]
fn a_hundred_pictures_are_refused_and_a_few_are_answered_for() {
    let circles = |number| vec![file("tests/pictures/circle.png"); number];
    let error = ask_of(circles(100), "describe the image.").unwrap_err();
    assert_eq!(error.code(), "input.too-large");
    assert_eq!(
        ask_of(circles(2), "describe the image.").unwrap(),
        "Image 1: A red circle.\nImage 2: A red circle."
    );
    let none = ask_of(Vec::new(), "describe the image.").unwrap_err();
    assert_eq!(none.code(), "input.image-missing");
}
