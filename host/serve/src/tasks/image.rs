//! A picture in a request.

use ampoule_sandbox::imports::bindings::ampoule::model::types;

/// A picture to put to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Image {
    /// A whole PNG, JPEG or WebP file. It is decoded inside the sandbox.
    Encoded(Vec<u8>),
    /// Pixels: red, green and blue, one byte each, row by row from the top left.
    Rgb8 {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// `width × height × 3` bytes.
        pixels: Vec<u8>,
    },
}

impl From<Image> for types::Image {
    fn from(image: Image) -> Self {
        match image {
            Image::Encoded(bytes) => Self::Encoded(bytes),
            Image::Rgb8 {
                width,
                height,
                pixels,
            } => Self::Rgb8(types::Rgb8Image {
                width,
                height,
                pixels,
            }),
        }
    }
}
