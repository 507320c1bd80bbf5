//! Spells bytes as hexadecimal digits in lower case, which is their only spelling.

use std::fmt;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Writes two digits for each byte. No copy of the bytes is made on the way, since they may be a secret.
///
/// # Errors
///
/// Those of `out`.
pub fn write(bytes: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0xf] {
            let digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
            out.write_char(char::from(digit))?;
        }
    }
    Ok(())
}

/// Reads exactly `N` bytes into `out`, so that a secret is in one place; `None` for any other text, and `out` may then
/// hold a part.
pub fn read_into<const N: usize>(text: &[u8], out: &mut [u8; N]) -> Option<()> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(())
}

/// Reads exactly `N` bytes that are no secret; `None` for any other text.
#[must_use]
pub fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    read_into(text.as_bytes(), &mut bytes)?;
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_spelling() {
        let mut text = String::new();
        write(&[0x00, 0x9f, 0xa0], &mut text).unwrap();
        assert_eq!(text, "009fa0");
        assert_eq!(read("009fa0"), Some([0x00, 0x9f, 0xa0]));
        for other in [
            "009FA0", "009fa", "009fa00", "009fa000", " 09fa0", "+09fa0", "",
        ] {
            assert_eq!(read::<3>(other), None, "{other:?}");
        }
    }
}
