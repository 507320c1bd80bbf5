//! Any bytes: the reader of image headers answers, and a file that is cut gets no other answer than
//! the whole one.
#![no_main]

#[path = "../../host/serve/src/tasks/image_header.rs"]
mod image_header;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = image_header::pixels(bytes);
    let half = image_header::pixels(&bytes[..bytes.len() / 2]);
    assert!(half.is_err() || half == whole);
});
