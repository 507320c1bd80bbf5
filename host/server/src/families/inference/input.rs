//! Input tensors, whose shapes fit their data.

use ampoule::{Image, Limits};
use bytes::{Buf as _, Bytes};

use crate::core::picture;
use crate::core::place::Place;
use crate::error::ApiError;
use crate::families::inference::data::JsonData;
use crate::families::inference::datatype::Datatype;
use crate::said::{Said, said};

/// Bytes of the length before each element of a `BYTES` tensor.
const LENGTH_BYTES: usize = 4;

/// An input tensor.
#[derive(Clone, Debug)]
pub(crate) struct InputTensor {
    /// The place in the request, for errors.
    pub(crate) param: Said,
    pub(crate) name: String,
    pub(crate) datatype: Datatype,
    pub(crate) shape: Vec<u64>,
    pub(crate) data: Data,
}

/// The elements of an input tensor.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Json(JsonData),
    /// As the binary extension frames them.
    Binary(Bytes),
    /// One element of `BYTES`, without its length.
    Whole(Bytes),
}

impl InputTensor {
    /// Makes the tensor of one `BYTES` element.
    pub(crate) fn of_element(name: &str, element: Bytes) -> Self {
        Self {
            param: "body".into(),
            name: name.to_owned(),
            datatype: Datatype::Bytes,
            shape: vec![1],
            data: Data::Whole(element),
        }
    }

    /// Checks that the shape has as many elements as the data.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        let expected = self.elements()?;
        let found = match &self.data {
            Data::Json(data) => data.count,
            Data::Binary(bytes) => match self.datatype.bytes() {
                Some(size) if bytes.len() % size == 0 => bytes.len() / size,
                Some(size) => {
                    return Err(self.invalid(said!(
                        "{} bytes are no whole number of elements of {} bytes",
                        bytes.len(),
                        size
                    )));
                }
                None => self.framed(bytes)?.count(),
            },
            Data::Whole(_) => 1,
        };
        if found == expected {
            return Ok(());
        }
        Err(self.invalid(said!(
            "the shape {} has {} elements, and the data has {}",
            self.said_shape(),
            expected,
            found
        )))
    }

    /// Returns the elements by the shape.
    fn elements(&self) -> Result<usize, ApiError> {
        let product = self
            .shape
            .iter()
            .try_fold(1_u64, |product, size| product.checked_mul(*size));
        let product = product.and_then(|product| usize::try_from(product).ok());
        product.ok_or_else(|| self.invalid("the shape has more elements than can be counted"))
    }

    /// Checks that every length lies within the bytes, and returns the elements.
    fn framed<'b>(
        &self,
        bytes: &'b [u8],
    ) -> Result<impl Iterator<Item = &'b [u8]> + use<'b>, ApiError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let after = rest.split_first_chunk::<LENGTH_BYTES>();
            let after = after.and_then(|(length, after)| {
                after.get(usize::try_from(u32::from_le_bytes(*length)).ok()?..)
            });
            rest = after.ok_or_else(|| {
                self.invalid(
                    "the lengths of the elements do not fit the bytes: each element is its length in 4 bytes, the lowest \
                     first, and that many bytes",
                )
            })?;
        }
        let mut rest = bytes;
        Ok(std::iter::from_fn(move || {
            let length = rest.try_get_u32_le().ok()?;
            let (element, after) = rest.split_at_checked(length as usize)?;
            rest = after;
            Some(element)
        }))
    }

    /// Returns texts: at least one, and at most `most`.
    pub(crate) fn texts(self, most: usize) -> Result<Vec<String>, ApiError> {
        self.is_a_list()?;
        let count = self.elements()?;
        if count > most {
            return Err(self.invalid(said!(
                "{} texts found, {} allowed; send them in several requests",
                count,
                most
            )));
        }
        self.check_texts()?;
        let text = |element: &[u8]| match str::from_utf8(element) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.invalid("a text is not UTF-8")),
        };
        match &self.data {
            Data::Json(_) => {}
            Data::Binary(bytes) => return self.framed(bytes)?.map(text).collect(),
            Data::Whole(bytes) => return Ok(vec![text(bytes)?]),
        }
        Ok(self.into_texts())
    }

    /// Returns encoded pictures: files in binary, and base64 or `data:` addresses in JSON.
    pub(crate) fn picture_files(self, limits: &Limits) -> Result<Vec<Image>, ApiError> {
        self.is_a_list()?;
        self.check_picture_count(self.elements()?, limits)?;
        self.check_texts()?;
        let file = |element: &[u8]| Image::Encoded(element.to_vec());
        match &self.data {
            Data::Json(_) => {}
            Data::Binary(bytes) => return Ok(self.framed(bytes)?.map(file).collect()),
            Data::Whole(bytes) => return Ok(vec![file(bytes)]),
        }
        let param = self.param.clone();
        let image = |(index, text): (usize, String)| {
            picture::from_base64(&text, &Place::list(&param).item(index), limits)
        };
        self.into_texts()
            .into_iter()
            .enumerate()
            .map(image)
            .collect()
    }

    /// Returns pictures of pixels, of the shape `[pictures, height, width, 3]`, or `[height, width, 3]` for one.
    pub(crate) fn pixels(self, limits: &Limits) -> Result<Vec<Image>, ApiError> {
        let wrong = || {
            self.invalid(said!(
                "the shape [pictures, height, width, 3] is expected, of at least one pixel, and {} was found",
                self.said_shape()
            ))
        };
        self.is_of(Datatype::Uint8)?;
        let (pictures, height, width) = match *self.shape {
            [height, width, 3] => (1, height, width),
            [pictures, height, width, 3] => (pictures, height, width),
            _ => return Err(wrong()),
        };
        let pixels: &[u8] = match &self.data {
            Data::Binary(bytes) | Data::Whole(bytes) => bytes,
            Data::Json(data) if data.bytes.len() == data.count => &data.bytes,
            Data::Json(_) => {
                return Err(self.invalid("whole numbers from 0 to 255 are expected"));
            }
        };
        let pictures = usize::try_from(pictures).map_err(|_| wrong())?;
        self.check_picture_count(pictures, limits)?;
        let (Ok(height), Ok(width)) = (u32::try_from(height), u32::try_from(width)) else {
            return Err(wrong());
        };
        if pixels.is_empty() {
            return Err(wrong());
        }
        let image = |pixels: &[u8]| Image::Rgb8 {
            width,
            height,
            pixels: pixels.to_vec(),
        };
        // The check has made it a whole number of pictures.
        Ok(pixels
            .chunks_exact(pixels.len() / pictures)
            .map(image)
            .collect())
    }

    /// Checks that this is a `BYTES` tensor of the shape `[n]` or `[n, 1]`, and not empty.
    fn is_a_list(&self) -> Result<(), ApiError> {
        self.is_of(Datatype::Bytes)?;
        match *self.shape {
            [count] | [count, 1] if count > 0 => Ok(()),
            _ => Err(self.invalid(said!(
                "the shape [n] is expected, of at least one element, and {} was found",
                self.said_shape()
            ))),
        }
    }

    fn is_of(&self, datatype: Datatype) -> Result<(), ApiError> {
        if self.datatype == datatype {
            return Ok(());
        }
        Err(self.invalid(said!(
            "the datatype {} is expected, and {} was found",
            datatype,
            self.datatype
        )))
    }

    /// Checks that elements in JSON are texts.
    fn check_texts(&self) -> Result<(), ApiError> {
        let Data::Json(data) = &self.data else {
            return Ok(());
        };
        if data.text_count != data.count {
            return Err(self.invalid("texts are expected as elements"));
        }
        Ok(())
    }

    /// Returns the texts of elements in JSON.
    fn into_texts(self) -> Vec<String> {
        match self.data {
            Data::Json(data) => data.texts,
            Data::Binary(_) | Data::Whole(_) => Vec::new(),
        }
    }

    /// Checks the number of pictures before each is copied: one of a single pixel takes more memory than its bytes.
    fn check_picture_count(&self, count: usize, limits: &Limits) -> Result<(), ApiError> {
        if (1..=limits.images).contains(&count) {
            return Ok(());
        }
        Err(self.invalid(said!(
            "{} pictures found, and 1 to {} are allowed",
            count,
            limits.images
        )))
    }

    /// Writes the shape as JSON has it.
    fn said_shape(&self) -> Said {
        said!("[{}]", Said::joined(self.shape.iter().copied(), ", "))
    }

    pub(crate) fn invalid(&self, message: impl Into<Said>) -> ApiError {
        let param = self.param.clone();
        let message = said!("`{}`: {}", param, message.into());
        ApiError::invalid(param, message)
    }
}
