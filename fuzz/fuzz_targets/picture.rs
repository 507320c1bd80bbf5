//! Any bytes: the guest's decoder gives a picture's pixels, which can be scaled, or refuses; and what
//! it refused at a first look it does not decode.
#![no_main]

use ampoule_guest::Image;
use ampoule_picture::{check, decode, letterbox};
use libfuzzer_sys::fuzz_target;

/// The side of the pictures that the built-in model sees.
const SIDE: usize = 96;

fuzz_target!(|bytes: &[u8]| {
    let image = Image::Encoded(bytes.to_vec());
    let first_look = check(&image);
    match decode(&image) {
        Ok(picture) => {
            assert!(first_look.is_ok());
            let pixels = u64::from(picture.width) * u64::from(picture.height);
            assert_eq!(picture.pixels.len() as u64, 3 * pixels);
            let square = letterbox(picture, SIDE);
            assert!(square.is_ok_and(|pixels| pixels.len() == 3 * SIDE * SIDE));
        }
        Err(error) => {
            let code = &*error.code;
            assert!(matches!(code, "input.image" | "input.too-large"), "{code}");
        }
    }
});
