//! Output tensors.

use serde::{Serialize, Serializer};

use crate::error::ApiError;
use crate::families::inference::datatype::Datatype;

/// An output tensor. Its shape fits its values.
#[derive(Debug)]
pub(crate) struct OutputTensor {
    pub(crate) name: &'static str,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Values,
}

/// The elements of an output tensor, in row-major order.
#[derive(Debug)]
pub(crate) enum Values {
    Fp32(Vec<f32>),
    Bool(Vec<bool>),
    Uint32(Vec<u32>),
    Bytes(Vec<String>),
}

impl OutputTensor {
    /// Makes a tensor of one dimension.
    pub(crate) fn list(name: &'static str, values: Values) -> Self {
        let length = match &values {
            Values::Fp32(values) => values.len(),
            Values::Bool(values) => values.len(),
            Values::Uint32(values) => values.len(),
            Values::Bytes(values) => values.len(),
        };
        Self {
            name,
            shape: vec![length],
            values,
        }
    }
}

impl Values {
    pub(crate) fn datatype(&self) -> Datatype {
        match self {
            Self::Fp32(_) => Datatype::Fp32,
            Self::Bool(_) => Datatype::Bool,
            Self::Uint32(_) => Datatype::Uint32,
            Self::Bytes(_) => Datatype::Bytes,
        }
    }

    /// Writes the elements as the binary extension frames them.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) -> Result<(), ApiError> {
        match self {
            Self::Fp32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            Self::Bool(values) => bytes.extend(values.iter().map(|value| u8::from(*value))),
            Self::Uint32(values) => {
                bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Self::Bytes(texts) => {
                for text in texts {
                    let length = u32::try_from(text.len())
                        .map_err(|_| ApiError::internal("an output text of 4 GiB or more"))?;
                    bytes.extend(length.to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
            }
        }
        Ok(())
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fp32(values) => values.serialize(serializer),
            Self::Bool(values) => values.serialize(serializer),
            Self::Uint32(values) => values.serialize(serializer),
            Self::Bytes(values) => values.serialize(serializer),
        }
    }
}
