//! From a caller's picture to plain pixels. Everything about an encoded picture is hostile: its format, its size
//! and its claims are checked before memory is taken for its pixels. A decoder's other memory, such as tables of
//! codes, grows with the length of the file, which the host bounds; the last bound is the sandbox's own limit.

use std::borrow::Cow;
use std::io::Cursor;

use ampoule_guest::{Error, Image};
use image::{
    ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage,
};

use crate::jpeg::{Jpeg, Refusal};
use crate::{orientation, webp_chunks};

/// Pixels that a picture may have: as many as the sensors of most cameras.
pub(crate) const MAX_PIXELS: u64 = 4096 * 4096;

/// Pixels of a picture's longer side, at most. Scaling takes memory for each pixel of a side, whatever the
/// other side is, so a bound on their product alone is not enough.
const MAX_SIDE: u32 = 1 << 15;

/// Bytes that the decoded pixels may take: [`MAX_PIXELS`] of four bytes. Pictures of 16 bits a channel
/// may have fewer.
const MAX_DECODED_BYTES: u64 = 4 * MAX_PIXELS;

/// Red, green and blue, a byte each, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture<'a> {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `[height, width, 3]`.
    pub pixels: Cow<'a, [u8]>,
}

/// Checks a picture's first bytes: its format and its size. A request of many pictures is so refused before work is
/// done on the first.
///
/// # Errors
///
/// `input.image` when it is none that this guest can decode; `input.too-large` when it has too many
/// pixels.
pub fn check(image: &Image) -> Result<(), Error> {
    match image {
        Image::Encoded(file) => match format_of(file)? {
            ImageFormat::Jpeg => open_jpeg(file).map(|_| ()),
            format => open(file, format).map(|_| ()),
        },
        Image::Rgb8(_) => decode(image).map(|_| ()),
    }
}

/// Decodes a picture to the pixels that a person would see: turned the way that its metadata says, and on white
/// where it is transparent. An animation gives its first frame.
///
/// # Errors
///
/// As for [`check`]; `input.image` too when the file is broken or cut short.
pub fn decode(image: &Image) -> Result<Picture<'_>, Error> {
    decode_on(image, [255; 3])
}

/// Decodes a picture as [`decode`] does, on another colour than white where it is transparent.
///
/// # Errors
///
/// As for [`decode`].
pub fn decode_on(image: &Image, background: [u8; 3]) -> Result<Picture<'_>, Error> {
    let file = match image {
        Image::Encoded(file) => file,
        Image::Rgb8(image) => {
            check_pixels(image.width, image.height)?;
            let expected = u64::from(image.width) * u64::from(image.height) * 3;
            if expected != image.pixels.len() as u64 {
                return Err(broken(format!(
                    "expected {expected} bytes of pixels for {} × {} pixels, found {}",
                    image.width,
                    image.height,
                    image.pixels.len()
                )));
            }
            return Ok(Picture {
                width: image.width,
                height: image.height,
                pixels: Cow::Borrowed(&image.pixels),
            });
        }
    };
    let format = format_of(file)?;
    let (width, height, pixels) = match format {
        ImageFormat::Jpeg => {
            let jpeg = open_jpeg(file)?;
            let (width, height) = jpeg.size();
            (width, height, jpeg.into_rgb8().map_err(refuse_jpeg)?)
        }
        _ => {
            let decoder = open(file, format)?;
            let ((width, height), colour) = (decoder.dimensions(), decoder.color_type());
            let mut bytes = vec![0; decoder.total_bytes() as usize];
            decoder
                .read_image(&mut bytes)
                .map_err(|found| explain(format, &found))?;
            (width, height, to_rgb8(bytes, colour, background)?)
        }
    };
    let pixels = RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| broken("the picture has fewer pixels than it says".to_owned()))?;
    let mut picture = DynamicImage::ImageRgb8(pixels);
    picture.apply_orientation(orientation::of(file, format));
    Ok(Picture {
        width: picture.width(),
        height: picture.height(),
        pixels: Cow::Owned(picture.into_bytes()),
    })
}

/// Returns the format of a file, by its first bytes: PNG, JPEG or WebP.
fn format_of(file: &[u8]) -> Result<ImageFormat, Error> {
    if file.is_empty() {
        return Err(broken(
            "expected a PNG, JPEG or WebP file, found 0 bytes".to_owned(),
        ));
    }
    match image::guess_format(file) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP)) => Ok(format),
        _ => Err(broken(
            "expected a PNG, JPEG or WebP file, found something else, whatever its name says"
                .to_owned(),
        )),
    }
}

/// A JPEG file whose header has been read, and whose pixels there is room for.
fn open_jpeg(file: &[u8]) -> Result<Jpeg<'_>, Error> {
    let jpeg = Jpeg::open(file).map_err(refuse_jpeg)?;
    let (width, height) = jpeg.size();
    check_pixels(width, height)?;
    Ok(jpeg)
}

fn refuse_jpeg(found: Refusal) -> Error {
    match found {
        Refusal::TooManyScans => too_large(found.to_string()),
        _ => broken(found.to_string()),
    }
}

/// A decoder of a PNG or WebP file that has read the file's header, and whose pixels there is room for.
fn open(file: &[u8], format: ImageFormat) -> Result<impl ImageDecoder + '_, Error> {
    let file = match format {
        ImageFormat::WebP => webp_chunks::picture_of(file)
            .map_err(|found| broken(format!("expected a whole WebP file, found {found}")))?,
        _ => file.into(),
    };
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits);
    let decoder = reader
        .into_decoder()
        .map_err(|found| explain(format, &found))?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height)?;
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        return Err(too_large(format!(
            "expected a picture whose pixels take at most {MAX_DECODED_BYTES} bytes, found {width} × \
             {height} pixels of {} bytes; make it smaller",
            decoder.color_type().bytes_per_pixel()
        )));
    }
    Ok(decoder)
}

/// Puts in front of an error's message which picture of the request it is about, where the request has several:
/// number `index` of `count`, counted from 0.
pub fn name_picture(mut error: Error, index: usize, count: usize) -> Error {
    if count > 1 {
        error.message = format!("picture {} of {count}: {}", index + 1, error.message);
    }
    error
}

pub(crate) fn check_pixels(width: u32, height: u32) -> Result<(), Error> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(broken(format!(
            "expected a picture of at least one pixel, found {width} × {height}"
        )));
    }
    if pixels > MAX_PIXELS || width.max(height) > MAX_SIDE {
        return Err(too_large(format!(
            "expected a picture of at most {MAX_PIXELS} pixels, and at most {MAX_SIDE} on a side, found \
             {width} × {height}; make it smaller"
        )));
    }
    Ok(())
}

/// Converts every kind of pixel that the decoders give to three bytes. Pixels that shrink do so in place, so that
/// the largest pictures are never in memory twice.
fn to_rgb8(bytes: Vec<u8>, colour: ColorType, background: [u8; 3]) -> Result<Vec<u8>, Error> {
    let over = |colour, alpha| over(background, colour, alpha);
    let grey = |v: u8| [v; 3];
    Ok(match colour {
        ColorType::Rgb8 => bytes,
        ColorType::L8 => convert(bytes, |[v]: [u8; 1]| grey(v)),
        ColorType::La8 => convert(bytes, |[v, a]: [u8; 2]| over(grey(v), a)),
        ColorType::Rgba8 => convert(bytes, |[r, g, b, a]: [u8; 4]| over([r, g, b], a)),
        ColorType::L16 => convert(bytes, |[a, b]: [u8; 2]| grey(narrow([a, b]))),
        ColorType::La16 => convert(bytes, |pixel: [u8; 4]| {
            let [v, a] = narrow_all(pixel);
            over(grey(v), a)
        }),
        ColorType::Rgb16 => convert(bytes, |pixel: [u8; 6]| narrow_all(pixel)),
        ColorType::Rgba16 => convert(bytes, |pixel: [u8; 8]| {
            let [r, g, b, a] = narrow_all(pixel);
            over([r, g, b], a)
        }),
        other => {
            return Err(broken(format!(
                "this guest reads pictures of 8 or 16 bits a channel, found {other:?}"
            )));
        }
    })
}

fn convert<const N: usize>(mut bytes: Vec<u8>, pixel: impl Fn([u8; N]) -> [u8; 3]) -> Vec<u8> {
    if N < 3 {
        let pixels = bytes.as_chunks().0.iter();
        return pixels.flat_map(|&bytes| pixel(bytes)).collect();
    }
    let count = bytes.len() / N;
    for index in 0..count {
        if let Some(&wide) = bytes[index * N..].first_chunk() {
            bytes[index * 3..][..3].copy_from_slice(&pixel(wide));
        }
    }
    bytes.truncate(count * 3);
    bytes
}

/// Blends a colour over another, as far as the first is opaque.
fn over(background: [u8; 3], colour: [u8; 3], alpha: u8) -> [u8; 3] {
    let alpha = u32::from(alpha);
    std::array::from_fn(|i| {
        let (behind, before) = (u32::from(background[i]), u32::from(colour[i]));
        ((before * alpha + behind * (255 - alpha) + 127) / 255) as u8
    })
}

/// Rounds 16 bits, in the order of this machine, to 8.
fn narrow(wide: [u8; 2]) -> u8 {
    ((u32::from(u16::from_ne_bytes(wide)) + 128) / 257) as u8
}

fn narrow_all<const N: usize, const M: usize>(wide: [u8; N]) -> [u8; M] {
    std::array::from_fn(|i| narrow([wide[2 * i], wide[2 * i + 1]]))
}

/// Returns a decoder's error as one of the contract.
fn explain(format: ImageFormat, found: &ImageError) -> Error {
    match found {
        ImageError::Limits(_) => too_large(format!(
            "expected a picture that {MAX_DECODED_BYTES} bytes are enough for, found a larger one; \
             make it smaller"
        )),
        other => broken(format!(
            "expected a whole {} file: {other}",
            match format {
                ImageFormat::Png => "PNG",
                _ => "WebP",
            }
        )),
    }
}

fn broken(message: String) -> Error {
    Error::new("input.image", message)
}

pub(crate) fn too_large(message: String) -> Error {
    Error::new("input.too-large", message)
}

#[cfg(test)]
mod tests;
