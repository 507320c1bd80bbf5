//! Any bytes: the guest's decoder gives a picture's pixels, which can be scaled, or refuses; and what
//! it refused at a first look it does not decode.
#![no_main]

// The guest's own files, without the network around them.
#[path = "../../guest/vlm/src/jpeg_end.rs"]
mod jpeg_end;
#[path = "../../guest/vlm/src/letterbox.rs"]
mod letterbox;
#[path = "../../guest/vlm/src/picture.rs"]
mod picture;
#[path = "../../guest/vlm/src/webp_chunks.rs"]
mod webp_chunks;

use ampoule_guest::Image;
use libfuzzer_sys::fuzz_target;

/// The side of the pictures that the built-in model sees.
const SIDE: usize = 96;

fuzz_target!(|bytes: &[u8]| {
    let image = Image::Encoded(bytes.to_vec());
    let first_look = picture::check(&image);
    match picture::decode(&image) {
        Ok(picture) => {
            assert!(first_look.is_ok());
            let pixels = u64::from(picture.width) * u64::from(picture.height);
            assert_eq!(picture.pixels.len() as u64, 3 * pixels);
            let square = letterbox::letterbox(&picture, SIDE);
            assert!(square.is_ok_and(|pixels| pixels.len() == 3 * SIDE * SIDE));
        }
        Err(error) => {
            let code = &*error.code;
            assert!(matches!(code, "input.image" | "input.too-large"), "{code}");
        }
    }
});
