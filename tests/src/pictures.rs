//! Encoded pictures for tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::restricted::sample_picture;

/// Makes the first bytes of a PNG of that size: its signature and header, which are all that the host reads.
#[must_use]
pub fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend(b"\x08\x02\0\0\0\0\0\0\0");
    bytes
}

/// Returns a picture file in base64.
///
/// # Panics
///
/// If the file cannot be read.
#[must_use]
pub fn picture_base64() -> String {
    STANDARD.encode(std::fs::read(sample_picture()).unwrap())
}
