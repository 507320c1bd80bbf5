//! Requests are checked against the input limits before a sandbox is made for them.
//!
//! Every call of a [`Model`](crate::Model) does so. The checks are public besides, for callers that
//! would rather refuse before they load a model or read the next file.

use ampoule_sandbox::limits::{Limits, MAX_NAME_CHARS};
use ampoule_sandbox::{Error, Limit, Result};

use crate::tasks::image::Image;
use crate::tasks::image_header;

/// Checks of requests against a host's limits.
///
/// Every call of a [`Model`](crate::Model) makes them before a sandbox is made. A caller can make them earlier, to refuse
/// before a model is loaded or the next file is read.
pub trait InputChecks {
    /// Checks that one request may have that many texts.
    ///
    /// # Errors
    ///
    /// `input.too-large`.
    fn check_text_count(&self, texts: usize) -> Result<()>;

    /// Checks one text, and returns how many characters it has.
    ///
    /// # Errors
    ///
    /// `input.too-large` for one of more characters than [`Limits::text_chars`].
    fn check_text(&self, text: &str) -> Result<usize>;

    /// Checks that one request may have that many images.
    ///
    /// # Errors
    ///
    /// `input.too-large`.
    fn check_image_count(&self, images: usize) -> Result<()>;

    /// Checks that a request may have this image: by its length, and by the pixels that its header says
    /// it has. It is not decoded here: that is the guest's work.
    ///
    /// # Errors
    ///
    /// `input.too-large`; `input.invalid` for bytes that are no PNG, JPEG or WebP file by their
    /// header, and for raw pixels that are not as many as they should be.
    fn check_image(&self, image: &Image) -> Result<()>;
}

impl InputChecks for Limits {
    fn check_text_count(&self, texts: usize) -> Result<()> {
        let limit = Some(Limit::Texts);
        check(limit, "texts in one request", texts, self.texts)
    }

    fn check_text(&self, text: &str) -> Result<usize> {
        let chars = text.chars().count();
        check(
            Some(Limit::TextChars),
            "characters in one text",
            chars,
            self.text_chars,
        )?;
        Ok(chars)
    }

    fn check_image_count(&self, images: usize) -> Result<()> {
        check(
            Some(Limit::Images),
            "images in one request",
            images,
            self.images,
        )
    }

    fn check_image(&self, image: &Image) -> Result<()> {
        let cap = usize::try_from(self.image.bytes()).unwrap_or(usize::MAX);
        match image {
            Image::Encoded(bytes) => {
                check(Some(Limit::Image), "bytes in one image", bytes.len(), cap)?;
                let pixels = image_header::pixels(bytes).map_err(|found| Error::InvalidInput {
                    reason: format!("the image is {found}; a PNG, JPEG or WebP file is expected"),
                })?;
                check(
                    Some(Limit::ImagePixels),
                    "pixels in one image",
                    pixels,
                    self.image_pixels,
                )
            }
            Image::Rgb8 {
                width,
                height,
                pixels,
            } => {
                check(Some(Limit::Image), "bytes in one image", pixels.len(), cap)?;
                // Two 32-bit numbers multiply into 64 bits; times three may not.
                let expected = (u64::from(*width) * u64::from(*height)).saturating_mul(3);
                check(
                    Some(Limit::ImagePixels),
                    "pixels in one image",
                    expected / 3,
                    self.image_pixels,
                )?;
                if expected == 0 || expected != pixels.len() as u64 {
                    return Err(Error::InvalidInput {
                        reason: format!(
                            "an image of {width} × {height} pixels has {} bytes; \
                             width × height × 3 of them, and at least one pixel, are expected",
                            pixels.len()
                        ),
                    });
                }
                Ok(())
            }
        }
    }
}

/// Checks the texts of one request, and returns them owned.
pub(crate) fn check_texts<S: AsRef<str>>(limits: &Limits, texts: &[S]) -> Result<Vec<String>> {
    limits.check_text_count(texts.len())?;
    texts
        .iter()
        .map(|text| {
            let text = text.as_ref();
            limits.check_text(text).map(|_| text.to_owned())
        })
        .collect()
}

/// Checks a word that names something: who speaks, an option.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<()> {
    let found = name.chars().count();
    check(None, what, found, MAX_NAME_CHARS)
}

pub(crate) fn check<N: PartialOrd + ToString>(
    limit: Option<Limit>,
    what: &'static str,
    found: N,
    allowed: N,
) -> Result<()> {
    if found <= allowed {
        return Ok(());
    }
    Err(too_large(
        limit,
        what,
        found.to_string(),
        allowed.to_string(),
    ))
}

pub(crate) fn too_large(
    limit: Option<Limit>,
    what: &'static str,
    found: String,
    allowed: String,
) -> Error {
    tracing::debug!(
        target: "ampoule::request",
        code = "input.too-large",
        what, found,
        "refused"
    );
    Error::TooLarge {
        limit,
        what: what.into(),
        found,
        allowed,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn text_is_counted_in_characters_not_bytes() {
        let limits = Limits::default();
        limits.check_text(&"漢".repeat(1_000)).unwrap();
        limits.check_text(&"🦀".repeat(1_000)).unwrap();
        for text in [
            "a".repeat(1_001),
            "🦀".repeat(1_001),
            "a".repeat(100_000_000),
        ] {
            let error = limits.check_text(&text).unwrap_err();
            assert_eq!(error.code(), "input.too-large");
            let found = format!("{} found", text.chars().count());
            assert!(error.to_string().contains(&found), "{error}");
        }
    }

    #[test]
    fn an_image_must_have_the_bytes_that_its_size_says() {
        let limits = Limits::default();
        let image = |width, height, bytes| Image::Rgb8 {
            width,
            height,
            pixels: vec![0; bytes],
        };
        limits.check_image(&image(2, 3, 18)).unwrap();
        for bad in [image(2, 3, 17), image(0, 3, 0), Image::Encoded(Vec::new())] {
            assert_eq!(
                limits.check_image(&bad).unwrap_err().code(),
                "input.invalid"
            );
        }
        for large in [
            Image::Encoded(vec![0; 16 * 1024 * 1024 + 1]),
            image(u32::MAX, u32::MAX, 3),
        ] {
            let error = limits.check_image(&large).unwrap_err();
            assert_eq!(error.code(), "input.too-large");
        }
    }

    /// The first bytes of a PNG of that size: the signature and the image header.
    fn png(width: u32, height: u32) -> Image {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend(b"\x08\x02\0\0\0\0\0\0\0");
        Image::Encoded(bytes)
    }

    #[test]
    fn an_encoded_image_is_refused_by_the_size_in_its_header() {
        let limits = Limits::default();
        limits.check_image(&png(4_096, 4_096)).unwrap();
        for (width, height) in [(4_097, 4_096), (30_000, 30_000), (u32::MAX, u32::MAX)] {
            let error = limits.check_image(&png(width, height)).unwrap_err();
            assert_eq!(error.code(), "input.too-large", "{width} × {height}");
        }
        for bytes in [&b"GIF89a\x01\0\x01\0"[..], b"hello", b"\x89PNG\r\n\x1a\n"] {
            let error = limits.check_image(&Image::Encoded(bytes.to_vec()));
            assert_eq!(error.unwrap_err().code(), "input.invalid", "{bytes:?}");
        }
    }
}
