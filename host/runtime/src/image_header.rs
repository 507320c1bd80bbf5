//! How large an encoded image says it is. Only its header is read: decoding is the guest's work.
//!
//! This is one of the few parsers of the host that see a caller's bytes, so it is alone in its file,
//! and a fuzz target includes the file without the engine around it.

/// What bytes are that are no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoImage {
    Empty,
    /// Neither PNG nor JPEG nor WebP by the header, or the header is not all there.
    Unknown,
}

impl std::fmt::Display for NoImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::Unknown => "of another format, or cut short",
        })
    }
}

/// The pixels that the header of a PNG, JPEG or WebP file promises; [`u64::MAX`] where there are more.
pub(crate) fn pixels(bytes: &[u8]) -> Result<u64, NoImage> {
    if bytes.is_empty() {
        return Err(NoImage::Empty);
    }
    // The library is built for these three formats only.
    let size = imagesize::blob_size(bytes).map_err(|_| NoImage::Unknown)?;
    Ok((size.width as u64).saturating_mul(size.height as u64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    /// What fuzzing kept: one input for each way through the readers.
    #[test]
    fn the_header_of_anything_is_read_or_refused() {
        let corpus = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fuzz/corpus/image_header"
        );
        let mut files = 0;
        for entry in std::fs::read_dir(corpus).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let whole = pixels(&bytes);
            for length in 0..bytes.len() {
                // However much is missing, the answer is the whole file's or a refusal.
                let cut = pixels(&bytes[..length]);
                assert!(cut.is_err() || cut == whole, "{length} of {bytes:?}");
            }
            files += 1;
        }
        assert!(files > 10, "{files} files in {corpus}");
    }
}
