//! Scaling as Pillow does it, to the bit: a pass over the rows and one over the columns, with
//! coefficients of 22 bits after the point and bytes between the passes.
//!
//! `fast_image_resize` is faster and has the same filters. Its coefficients have 14 bits, so that its
//! pixels are up to 2 of 255 away from what a model was trained on, and it goes over the columns first.

use std::f64::consts::PI;

use ampoule_guest::Error;

use crate::Picture;
use crate::decode::{MAX_PIXELS, too_large};

/// Bits after the point of a coefficient: as many as leave room for a byte and for sums that overshoot.
const PRECISION_BITS: u32 = 22;

/// Values of a pixel: red, green, blue.
const CHANNELS: usize = 3;

/// Weights of the old pixels in a new one. All filters but [`Nearest`](Filter::Nearest) grow
/// with the scale, so that no pixel of a large picture is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Filter {
    /// The one pixel in the middle.
    Nearest,
    /// The mean.
    Box,
    /// A triangle.
    Bilinear,
    /// A raised cosine over a sinc.
    Hamming,
    /// Keys' cubic with a = -0.5.
    Bicubic,
    /// A sinc of three lobes.
    Lanczos,
}

/// The order of the two passes. Bytes between them are rounded, so it shows: in up to half of the pixels,
/// by 1 with [`Filter::Bilinear`] and by up to 22 with [`Filter::Lanczos`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passes {
    /// Rows, then columns: Pillow up to 12.3, with which the models of today were trained. Columns first
    /// all the same where a picture is more than a hundred times as high as wide, and loses height.
    #[default]
    RowsFirst,
    /// Pillow 13.0: columns first where the height loses more than twice as many pixels as the width, else
    /// rows.
    ByShape,
}

impl Filter {
    /// Pixels of the result on each side of a middle that count.
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    /// The weight at a distance from the middle, in pixels of the result.
    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| {
            if x == 0.0 {
                1.0
            } else {
                (x * PI).sin() / (x * PI)
            }
        };
        let distance = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Hamming if distance >= 1.0 => 0.0,
            Self::Hamming => sinc(distance) * (0.54 + 0.46 * (distance * PI).cos()),
            Self::Bicubic if distance < 1.0 => (1.5 * distance - 2.5) * distance * distance + 1.0,
            Self::Bicubic if distance < 2.0 => {
                ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
            }
            Self::Bicubic => 0.0,
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

/// The picture at another size, `[width, height]`, neither of them 0.
///
/// # Errors
///
/// `input.too-large` when that size, or what is between the passes, has too many pixels.
pub fn resample<'a>(
    picture: Picture<'a>,
    [width, height]: [u32; 2],
    filter: Filter,
    passes: Passes,
) -> Result<Picture<'a>, Error> {
    let (lost_rows, lost_columns) = (
        i64::from(picture.height) - i64::from(height),
        i64::from(picture.width) - i64::from(width),
    );
    let is_preferred = match passes {
        Passes::RowsFirst => u64::from(picture.height) > 100 * u64::from(picture.width),
        Passes::ByShape => lost_rows > 2 * lost_columns,
    };
    let columns_first = lost_rows > 0 && is_preferred;
    let between = if columns_first {
        [picture.width, height]
    } else {
        [width, picture.height]
    };
    for [width, height] in [between, [width, height]] {
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > MAX_PIXELS {
            return Err(too_large(format!(
                "expected a picture that takes at most {MAX_PIXELS} pixels while it is scaled, found one \
                 that takes {width} × {height}; make it smaller, or less long"
            )));
        }
    }
    let steps = if columns_first {
        [columns, rows]
    } else {
        [rows, columns]
    };
    let picture = steps[0](picture, [width, height], filter);
    Ok(steps[1](picture, [width, height], filter))
}

/// The pass over the rows, which changes the width.
fn rows<'a>(picture: Picture<'a>, [width, _]: [u32; 2], filter: Filter) -> Picture<'a> {
    if width == picture.width {
        return picture;
    }
    let taps = Taps::new(picture.width, width, filter);
    let mut pixels = Vec::with_capacity(width as usize * picture.height as usize * CHANNELS);
    for row in picture
        .pixels
        .chunks_exact(picture.width as usize * CHANNELS)
    {
        let (row, _) = row.as_chunks::<CHANNELS>();
        for (start, coefficients) in taps.iter() {
            let mut sums = [HALF; CHANNELS];
            for (pixel, coefficient) in row[start..].iter().zip(coefficients) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum = sum.wrapping_add(i32::from(value) * coefficient);
                }
            }
            pixels.extend(sums.map(to_byte));
        }
    }
    Picture {
        width,
        height: picture.height,
        pixels: pixels.into(),
    }
}

/// The pass over the columns, which changes the height.
fn columns<'a>(picture: Picture<'a>, [_, height]: [u32; 2], filter: Filter) -> Picture<'a> {
    if height == picture.height {
        return picture;
    }
    let taps = Taps::new(picture.height, height, filter);
    let row_length = picture.width as usize * CHANNELS;
    let mut pixels = Vec::with_capacity(row_length * height as usize);
    let mut sums = vec![0; row_length];
    for (start, coefficients) in taps.iter() {
        sums.fill(HALF);
        let rows = picture.pixels[start * row_length..].chunks_exact(row_length);
        for (row, coefficient) in rows.zip(coefficients) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum = i32::wrapping_add(*sum, i32::from(value) * coefficient);
            }
        }
        pixels.extend(sums.iter().copied().map(to_byte));
    }
    Picture {
        width: picture.width,
        height,
        pixels: pixels.into(),
    }
}

/// Start value of each sum: half a unit, with which `to_byte` rounds.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// For each pixel of a new line the old ones that it is made of.
struct Taps {
    /// The first old pixel, and where its coefficients end.
    lines: Vec<(usize, usize)>,
    coefficients: Vec<i32>,
}

impl Taps {
    fn new(old: u32, new: u32, filter: Filter) -> Self {
        let mut taps = Taps {
            lines: Vec::with_capacity(new as usize),
            coefficients: Vec::new(),
        };
        let scale = f64::from(old) / f64::from(new);
        if filter == Filter::Nearest {
            // Added up, as in Pillow, where an error of the last bit adds up too.
            let mut middle = scale * 0.5;
            for _ in 0..new {
                taps.push((middle as u32).min(old - 1), &[1.0]);
                middle += scale;
            }
            return taps;
        }
        let widening = scale.max(1.0);
        let support = filter.support() * widening;
        let mut weights = Vec::new();
        for index in 0..new {
            let middle = (f64::from(index) + 0.5) * scale;
            // Casts go towards 0, and what is below it is 0.
            let first = (middle - support + 0.5) as u32;
            let end = ((middle + support + 0.5) as u32).min(old);
            weights.clear();
            weights.extend((first..end).map(|at| {
                let distance = f64::from(at) - middle + 0.5;
                filter.weight(distance * (1.0 / widening))
            }));
            let total: f64 = weights.iter().sum();
            if total != 0.0 {
                weights.iter_mut().for_each(|weight| *weight /= total);
            }
            taps.push(first, &weights);
        }
        taps
    }

    fn push(&mut self, first: u32, weights: &[f64]) {
        let one = f64::from(1 << PRECISION_BITS);
        // Rounded, halves away from 0.
        let coefficients = weights.iter().map(|weight| (weight * one).round() as i32);
        self.coefficients.extend(coefficients);
        self.lines.push((first as usize, self.coefficients.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        let mut begin = 0;
        self.lines.iter().map(move |&(first, end)| {
            let coefficients = &self.coefficients[begin..end];
            begin = end;
            (first, coefficients)
        })
    }
}
