//! A whole picture in a square: scaled until it fits, in the middle of grey.

use ampoule_guest::Error;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::Picture;

/// What is left and right of the picture, or above and below.
const GREY: u8 = 128;

/// The square `[side, side, 3]`. The longer side of the picture is scaled to it, by a triangle filter
/// as wide as a pixel of the result covers (Pillow's `BILINEAR`).
///
/// # Errors
///
/// `input.image` when the picture cannot be scaled.
pub fn letterbox(picture: &Picture<'_>, side: usize) -> Result<Vec<u8>, Error> {
    let (width, height) = (picture.width, picture.height);
    let longer = u64::from(width.max(height));
    // Rounded, halves up.
    let scaled = |length: u32| {
        let doubled = 2 * u64::from(length) * side as u64 + longer;
        (doubled / (2 * longer)).max(1) as u32
    };
    let (new_width, new_height) = (scaled(width), scaled(height));
    let failed = |found: &dyn std::fmt::Display| {
        Error::new(
            "input.image",
            format!("cannot scale {width} × {height} pixels: {found}"),
        )
    };
    let mut small = Image::new(new_width, new_height, PixelType::U8x3);
    let large = ImageRef::new(width, height, &picture.pixels, PixelType::U8x3)
        .map_err(|found| failed(&found))?;
    let filter = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    Resizer::new()
        .resize(&large, &mut small, &filter)
        .map_err(|found| failed(&found))?;

    let (new_width, new_height) = (new_width as usize, new_height as usize);
    let (left, top) = ((side - new_width) / 2, (side - new_height) / 2);
    let mut square = vec![GREY; side * side * 3];
    for (row, pixels) in small.buffer().chunks_exact(new_width * 3).enumerate() {
        let start = ((top + row) * side + left) * 3;
        square[start..start + pixels.len()].copy_from_slice(pixels);
    }
    Ok(square)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::borrow::Cow;

    use super::*;

    const SIDE: usize = 24;

    fn picture(width: u32, height: u32) -> Picture<'static> {
        let pixels = (0..width * height * 3).map(|i| (i * i / 7 % 251) as u8);
        Picture {
            width,
            height,
            pixels: Cow::Owned(pixels.collect()),
        }
    }

    /// One line scaled: each new pixel is the mean of the old ones, weighed by a triangle around its
    /// middle.
    fn scaled(line: &[f64], length: usize) -> Vec<f64> {
        let scale = line.len() as f64 / length as f64;
        let support = scale.max(1.0);
        (0..length)
            .map(|i| {
                let middle = (i as f64 + 0.5) * scale;
                let weight =
                    |j: usize| (1.0 - ((j as f64 + 0.5 - middle) / support).abs()).max(0.0);
                let total: f64 = (0..line.len()).map(weight).sum();
                let sum: f64 = line.iter().enumerate().map(|(j, v)| v * weight(j)).sum();
                sum / total
            })
            .collect()
    }

    /// The picture scaled row by row and then column by column.
    fn definition(picture: &Picture<'_>, [width, height]: [usize; 2], channel: usize) -> Vec<f64> {
        let rows: Vec<Vec<f64>> = picture
            .pixels
            .chunks_exact(picture.width as usize * 3)
            .map(|row| {
                let line: Vec<f64> = row
                    .iter()
                    .skip(channel)
                    .step_by(3)
                    .map(|&v| v.into())
                    .collect();
                scaled(&line, width)
            })
            .collect();
        let columns: Vec<Vec<f64>> = (0..width)
            .map(|x| scaled(&rows.iter().map(|row| row[x]).collect::<Vec<_>>(), height))
            .collect();
        (0..height)
            .flat_map(|y| {
                columns
                    .iter()
                    .map(move |column| column[y])
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    #[test]
    fn a_picture_is_scaled_by_a_triangle_filter_and_put_in_the_middle() {
        for (width, height, new) in [
            (24, 24, [24, 24]),
            (12, 24, [12, 24]),
            (100, 71, [24, 17]),
            (71, 100, [17, 24]),
            (7, 5, [24, 17]),
            (500, 3, [24, 1]),
            (1, 90, [1, 24]),
        ] {
            let picture = picture(width, height);
            let square = letterbox(&picture, SIDE).unwrap();
            let (left, top) = ((SIDE - new[0]) / 2, (SIDE - new[1]) / 2);
            for channel in 0..3 {
                let exact = definition(&picture, new, channel);
                for y in 0..SIDE {
                    for x in 0..SIDE {
                        let found = f64::from(square[(y * SIDE + x) * 3 + channel]);
                        let inside =
                            (left..left + new[0]).contains(&x) && (top..top + new[1]).contains(&y);
                        let exact = if inside {
                            exact[(y - top) * new[0] + x - left]
                        } else {
                            128.0
                        };
                        assert!(
                            (found - exact).abs() <= 1.01,
                            "{width} × {height} at {x}, {y}: {found} for {exact}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let picture = picture(SIDE as u32, SIDE as u32);
        assert_eq!(letterbox(&picture, SIDE).unwrap(), *picture.pixels);
    }
}
