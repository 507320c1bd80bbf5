//! Heads of messages: a length of 4 bytes, little-endian, and so many bytes of JSON.

use std::io::{self, Read, Write};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a head.
///
/// # Errors
///
/// Those of `to`; [`InvalidData`](io::ErrorKind::InvalidData) for a head that cannot be written as JSON.
pub fn write_head(to: &mut impl Write, head: &impl Serialize) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let length = u32::try_from(head.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&head)
}

/// Reads a head of at most `most` bytes. Memory is taken as bytes arrive, and none for a length over the bound.
///
/// # Errors
///
/// Those of `from`; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) for a message that ends early,
/// [`InvalidData`](io::ErrorKind::InvalidData) for a head over the bound or of another form.
pub fn read_head<T: DeserializeOwned>(from: &mut impl Read, most: u32) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > most {
        return Err(malformed(format!(
            "its head has {length} bytes, and {most} are allowed"
        )));
    }
    let head = read_bytes(from, u64::from(length))?;
    // A head that ends too early is not a message that does.
    serde_json::from_slice(&head).map_err(|error| malformed(format!("its head is wrong: {error}")))
}

/// Reads exactly `length` bytes. Memory is taken as they arrive.
///
/// # Errors
///
/// Those of `from`; [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when there are fewer.
pub fn read_bytes(from: &mut impl Read, length: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.into())
}

/// Makes the error of a message that is not what it should be.
pub(super) fn malformed(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}
