//! From a picture to the numbers that a model takes, step by step as its publisher did it.
//!
//! The steps are those of the image processors of Hugging Face's `transformers`: scale, cut out the
//! middle, multiply, take off a mean and divide by a deviation. The table "Pictures" of `ampoule-guest`'s
//! documentation tells how a picture is read before that.

mod config;

use ampoule_guest::{Error, Image};

use crate::decode::{Picture, decode_on};
use crate::letterbox::fit;
use crate::resample::{Filter, Passes, resample};

/// Steps from a picture to the numbers that a model takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocess {
    /// Red, green and blue of the background of a see-through picture.
    pub background: [u8; 3],
    /// The size that the picture gets, if it gets another.
    pub resize: Option<Resize>,
    /// Filter weights for scaling.
    pub filter: Filter,
    /// The order of the two passes of scaling.
    pub passes: Passes,
    /// Width and height of the part in the middle that is kept. A smaller picture gets black (0) around
    /// it, more on the left and above where the pixels are odd.
    pub crop: Option<[u32; 2]>,
    /// Factor of each byte, such as 1/255.
    pub rescale: Option<f64>,
    /// Mean and deviation by which each colour is normalized, after it is rescaled.
    pub normalize: Option<Normalize>,
    /// The order of the numbers.
    pub layout: Layout,
}

/// The size that a picture is scaled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resize {
    /// Exactly this size; the proportions may change.
    Exact {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// The shorter side gets this length; the longer one is in proportion, rounded down.
    ShortestEdge(u32),
    /// The largest size within this one and of the same proportions, rounded down. With two equal sides, they are the
    /// length of the longer one.
    Within {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// As large as goes into a square of this side, the shorter length rounded, halves up; in the middle,
    /// the rest filled.
    Letterbox {
        /// In pixels.
        side: u32,
        /// Red, green and blue around the picture.
        fill: [u8; 3],
    },
}

/// A mean to take off, and a standard deviation to divide by, for red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalize {
    /// Taken off first.
    pub mean: [f32; 3],
    /// Divided by then. Not 0.
    pub std: [f32; 3],
}

/// The order of a tensor's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// `[channels, height, width]`
    #[default]
    ChannelsFirst,
    /// `[height, width, channels]`
    ChannelsLast,
}

/// Numbers that a model takes, and their shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// As the [`Layout`] has it. There are three channels: red, green, blue.
    pub shape: [usize; 3],
    /// Row-major.
    pub values: Vec<f32>,
}

impl Default for Preprocess {
    /// Leaves the picture as it is, on white, as numbers from 0 to 1 in the order `[channels, height, width]`.
    fn default() -> Self {
        Self {
            background: [255; 3],
            resize: None,
            filter: Filter::Bicubic,
            passes: Passes::default(),
            crop: None,
            rescale: Some(1.0 / 255.0),
            normalize: None,
            layout: Layout::default(),
        }
    }
}

impl Preprocess {
    /// Makes the numbers that a model takes.
    ///
    /// # Errors
    ///
    /// As for [`decode`](crate::decode); `input.too-large` too when the picture has too many pixels while it
    /// is scaled.
    pub fn apply(&self, image: &Image) -> Result<Tensor, Error> {
        let picture = self.pixels(image)?;
        let value = |channel: usize| {
            let Normalize { mean, std } = self.normalize.unwrap_or(Normalize {
                mean: [0.0; 3],
                std: [1.0; 3],
            });
            let rescale = self.rescale.unwrap_or(1.0);
            let values: Vec<f32> = (0..=255u8)
                .map(|byte| ((f64::from(byte) * rescale) as f32 - mean[channel]) / std[channel])
                .collect();
            move |byte: u8| values[usize::from(byte)]
        };
        let of_channel = [value(0), value(1), value(2)];
        let (width, height) = (picture.width as usize, picture.height as usize);
        let (pixels, _) = picture.pixels.as_chunks::<3>();
        Ok(match self.layout {
            Layout::ChannelsFirst => Tensor {
                shape: [3, height, width],
                values: (0..3)
                    .flat_map(|channel| {
                        let value = &of_channel[channel];
                        pixels.iter().map(move |pixel| value(pixel[channel]))
                    })
                    .collect(),
            },
            Layout::ChannelsLast => Tensor {
                shape: [height, width, 3],
                values: pixels
                    .iter()
                    .flat_map(|pixel| [0, 1, 2].map(|channel| of_channel[channel](pixel[channel])))
                    .collect(),
            },
        })
    }

    /// Makes the pixels that the model sees, before they become numbers.
    ///
    /// # Errors
    ///
    /// As for [`apply`](Self::apply).
    pub fn pixels<'a>(&self, image: &'a Image) -> Result<Picture<'a>, Error> {
        let mut picture = decode_on(image, self.background)?;
        picture = match self.resize {
            None => picture,
            Some(Resize::Letterbox { side, fill }) => {
                fit(picture, side, fill, self.filter, self.passes)?
            }
            Some(resize) => {
                let size = resize.size_of([picture.width, picture.height]);
                resample(picture, size, self.filter, self.passes)?
            }
        };
        match self.crop {
            Some(size) if size != [picture.width, picture.height] => crop(&picture, size),
            _ => Ok(picture),
        }
    }
}

impl Resize {
    /// Returns the width and height that a picture gets.
    fn size_of(self, [width, height]: [u32; 2]) -> [u32; 2] {
        let (shorter, longer) = (width.min(height), width.max(height));
        match self {
            Self::Exact { width, height } => [width, height],
            Self::ShortestEdge(edge) => {
                let long = u64::from(edge) * u64::from(longer) / u64::from(shorter);
                // What is too long is refused for its pixels.
                let long = u32::try_from(long).unwrap_or(u32::MAX);
                if width <= height {
                    [edge, long]
                } else {
                    [long, edge]
                }
            }
            Self::Within {
                width: most_width,
                height: most_height,
            } => {
                let scale = |most: u32, length: u32| f64::from(most) / f64::from(length);
                let scale = scale(most_height, height).min(scale(most_width, width));
                [width, height].map(|length| ((f64::from(length) * scale) as u32).max(1))
            }
            Self::Letterbox { side, .. } => [side, side],
        }
    }
}

/// Cuts out the middle of a picture.
fn crop(picture: &Picture<'_>, [width, height]: [u32; 2]) -> Result<Picture<'static>, Error> {
    let length = crate::decode::check_pixels(width, height).map(|()| width * height * 3)?;
    let mut pixels = vec![0; length as usize];
    // Rounded down: a smaller picture begins at a negative place.
    let middle = |old: u32, new: u32| (i64::from(old) - i64::from(new)).div_euclid(2);
    let (left, top) = (middle(picture.width, width), middle(picture.height, height));
    // Where the picture begins in the result, and the result in the picture.
    let begin = |offset: i64| ((-offset).max(0) as usize, offset.max(0) as usize);
    let ((to_left, from_left), (to_top, from_top)) = (begin(left), begin(top));
    let kept = width.min(picture.width) as usize * 3;
    let rows = picture.pixels.chunks_exact(picture.width as usize * 3);
    let new_rows = pixels.chunks_exact_mut(width as usize * 3);
    for (new, old) in new_rows.skip(to_top).zip(rows.skip(from_top)) {
        new[to_left * 3..][..kept].copy_from_slice(&old[from_left * 3..][..kept]);
    }
    Ok(Picture {
        width,
        height,
        pixels: pixels.into(),
    })
}
