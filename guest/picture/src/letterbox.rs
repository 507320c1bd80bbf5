//! A whole picture in a square: scaled until it fits, in the middle of one colour.

use ampoule_guest::Error;

use crate::decode::check_pixels;
use crate::{Filter, Passes, Picture, resample};

/// Colour left and right of the picture, or above and below.
const GREY: u8 = 128;

/// Fits a picture into the square `[side, side, 3]`. Its longer side is scaled to the square's, by a triangle filter
/// as wide as a pixel of the result covers (Pillow's `BILINEAR`).
///
/// # Errors
///
/// `input.too-large` when the picture has too many pixels while it is scaled.
pub fn letterbox(picture: Picture<'_>, side: usize) -> Result<Vec<u8>, Error> {
    let side = u32::try_from(side).unwrap_or(u32::MAX);
    let square = fit(
        picture,
        side,
        [GREY; 3],
        Filter::Bilinear,
        Passes::RowsFirst,
    )?;
    Ok(square.pixels.into_owned())
}

/// Puts a picture into the middle of the square.
pub(crate) fn fit<'a>(
    picture: Picture<'a>,
    side: u32,
    fill: [u8; 3],
    filter: Filter,
    passes: Passes,
) -> Result<Picture<'a>, Error> {
    check_pixels(side, side)?;
    let longer = u64::from(picture.width.max(picture.height));
    // Rounded, halves up.
    let scaled = |length: u32| {
        let doubled = 2 * u64::from(length) * u64::from(side) + longer;
        (doubled / (2 * longer)).max(1) as u32
    };
    let size = [scaled(picture.width), scaled(picture.height)];
    let small = resample(picture, size, filter, passes)?;
    if size == [side; 2] {
        return Ok(small);
    }
    let [width, height, length] = [size[0], size[1], side].map(|length| length as usize);
    let (left, top) = ((length - width) / 2, (length - height) / 2);
    let mut square = fill.repeat(length * length);
    for (row, pixels) in small.pixels.chunks_exact(width * 3).enumerate() {
        let start = ((top + row) * length + left) * 3;
        square[start..start + pixels.len()].copy_from_slice(pixels);
    }
    Ok(Picture {
        width: side,
        height: side,
        pixels: square.into(),
    })
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
            let square = letterbox(picture.clone(), SIDE).unwrap();
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
        assert_eq!(letterbox(picture.clone(), SIDE).unwrap(), *picture.pixels);
    }
}
