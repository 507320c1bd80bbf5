//! Bytes in a PEM block, so that the fuzzer need not find base64 and labels by itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The block as RFC 7468 writes it: lines of 64 letters.
pub(super) fn block(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut block = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        block.extend(line.iter().copied().map(char::from));
        block.push('\n');
    }
    block + &format!("-----END {label}-----\n")
}
