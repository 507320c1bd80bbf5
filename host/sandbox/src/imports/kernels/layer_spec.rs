//! Descriptions of layers to pack: the shape, and the position of the numbers in the model's files.

use ampoule_units::ByteSize;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::imports::assets::AssetFiles;
use crate::imports::bindings::ampoule::model::host_kernels as wit;
use crate::imports::bindings::ampoule::model::types::Error as GuestError;

/// The longest row. Sums of so many products of two bytes stay within 32 bits.
const MAX_INPUTS: u32 = 1 << 16;

/// Outputs of one layer: four times the largest vocabulary of a model that one core serves.
const MAX_OUTPUTS: u32 = 1 << 20;

/// Parts of one layer. Queries, keys and values are three.
const MAX_PARTS: usize = 16;

/// Outputs of one panel, the widest of any kernel. The last panel is filled up with zeros.
const PANEL: u64 = 64;

/// Inputs of an output that share a scale in four bits.
pub const INT4_BLOCK: usize = 32;

/// A checked layer: it has a shape, its tensors lie within their files, and its size can be counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerSpec {
    inputs: u32,
    parts: Vec<PartSpec>,
    format: Format,
}

/// A part of a layer's outputs, with weights that lie together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartSpec {
    /// The number of outputs.
    pub outputs: u32,
    /// `[outputs, inputs]`, row-major.
    pub weights: TensorSpec,
    /// `[outputs]`; zeros without it.
    pub bias: Option<TensorSpec>,
}

/// Numbers in one of the model's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    file: String,
    offset: u64,
    /// The form of each number.
    pub element: Element,
}

/// The form of a number in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Element {
    /// 32-bit floats.
    F32,
    /// 16-bit floats (IEEE 754).
    F16,
    /// 16-bit floats with the exponent of 32 bits.
    Bf16,
}

/// The form that a matrix is packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// As 32-bit floats.
    F32,
    /// As 16-bit floats.
    F16,
    /// As whole numbers of 8 bits, with a scale for each output.
    Int8,
    /// As whole numbers of 4 bits, with a scale for each [`INT4_BLOCK`] inputs of an output.
    Int4,
}

impl LayerSpec {
    /// Checks a guest's description against the model's files. Errors: `kernels.layer`, `asset.*`.
    pub fn new(layer: wit::Layer, files: &AssetFiles) -> Result<Self, GuestError> {
        let spec = Self {
            inputs: layer.inputs,
            parts: layer.parts.into_iter().map(PartSpec::from).collect(),
            format: layer.format.into(),
        };
        spec.check(files)?;
        Ok(spec)
    }

    /// Makes the checks of [`LayerSpec::new`] on a description from another process or the cache.
    pub fn check(&self, files: &AssetFiles) -> Result<(), GuestError> {
        if self.inputs == 0 || self.inputs > MAX_INPUTS {
            return Err(wrong(format!(
                "expected from 1 to {MAX_INPUTS} inputs, found {}",
                self.inputs
            )));
        }
        if self.parts.is_empty() || self.parts.len() > MAX_PARTS {
            return Err(wrong(format!(
                "expected from 1 to {MAX_PARTS} parts, found {}",
                self.parts.len()
            )));
        }
        let mut outputs = 0_u32;
        for part in &self.parts {
            outputs = outputs.saturating_add(part.outputs);
            if part.outputs == 0 || outputs > MAX_OUTPUTS {
                return Err(wrong(format!(
                    "expected from 1 to {MAX_OUTPUTS} outputs, and some in each part"
                )));
            }
            // Both are below 2³², so that their product is within 64 bits.
            let weights = u64::from(part.outputs) * u64::from(self.inputs);
            part.weights.bytes(weights, files)?;
            if let Some(bias) = &part.bias {
                bias.bytes(u64::from(part.outputs), files)?;
            }
        }
        Ok(())
    }

    /// Tells whether the layer reads this file.
    #[must_use]
    pub fn reads(&self, file: &str) -> bool {
        self.parts.iter().any(|part| {
            let bias = part.bias.as_ref();
            part.weights.file == file || bias.is_some_and(|bias| bias.file == file)
        })
    }

    /// Returns the length of an input row.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs as usize
    }

    /// Returns the length of an output row.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.parts.iter().map(|part| part.outputs as usize).sum()
    }

    /// Returns the form that the matrix is packed in.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Returns the parts, in the order of their outputs.
    #[must_use]
    pub fn parts(&self) -> &[PartSpec] {
        &self.parts
    }

    /// Returns an upper bound of the packed layer's memory on the host.
    pub fn packed_bytes(&self) -> ByteSize {
        let inputs = u64::from(self.inputs);
        let outputs = (self.outputs() as u64).next_multiple_of(PANEL);
        let blocks = inputs.div_ceil(INT4_BLOCK as u64);
        // A row of the matrix; at most 2¹⁸ bytes, for at most 2²⁰ rows.
        let row = match self.format {
            Format::F32 => inputs * 4,
            Format::F16 => inputs * 2,
            // A scale, and a kernel's sums of 1,024 inputs each.
            Format::Int8 => inputs.next_multiple_of(4) + inputs.div_ceil(1024) * 16 + 16,
            Format::Int4 => blocks * (INT4_BLOCK as u64 / 2 + 2),
        };
        let bias = 4;
        // 64 bytes are a kernel's preface of a matrix.
        ByteSize::from_bytes(outputs * (row + bias) + 64)
    }

    /// Returns the memory of the description itself.
    pub fn described_bytes(&self) -> usize {
        let tensor = |tensor: &TensorSpec| size_of::<TensorSpec>() + tensor.file.len();
        self.parts
            .iter()
            .map(|part| {
                size_of::<PartSpec>() + tensor(&part.weights) + part.bias.as_ref().map_or(0, tensor)
            })
            .sum::<usize>()
            + size_of::<Self>()
    }
}

impl TensorSpec {
    /// Returns the bytes of so many numbers. Errors: `asset.not-found`, `asset.out-of-range`.
    pub fn bytes(&self, numbers: u64, files: &AssetFiles) -> Result<Bytes, GuestError> {
        let file = files.find(&self.file)?;
        let length = numbers.saturating_mul(self.element.bytes());
        let range = self
            .offset
            .checked_add(length)
            .filter(|end| *end <= file.len() as u64)
            .and_then(|end| Some(usize::try_from(self.offset).ok()?..usize::try_from(end).ok()?));
        match range {
            Some(range) => Ok(file.slice(range)),
            None => Err(GuestError {
                code: "asset.out-of-range".to_owned(),
                message: format!(
                    "{length} bytes at offset {} are beyond the {} bytes there are",
                    self.offset,
                    file.len()
                ),
            }),
        }
    }
}

impl Element {
    fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

impl From<wit::Part> for PartSpec {
    fn from(part: wit::Part) -> Self {
        Self {
            outputs: part.outputs,
            weights: part.weights.into(),
            bias: part.bias.map(TensorSpec::from),
        }
    }
}

impl From<wit::Tensor> for TensorSpec {
    fn from(tensor: wit::Tensor) -> Self {
        Self {
            file: tensor.file,
            offset: tensor.offset,
            element: match tensor.element {
                wit::ElementType::F32 => Element::F32,
                wit::ElementType::F16 => Element::F16,
                wit::ElementType::Bf16 => Element::Bf16,
            },
        }
    }
}

impl From<wit::Format> for Format {
    fn from(format: wit::Format) -> Self {
        match format {
            wit::Format::F32 => Self::F32,
            wit::Format::F16 => Self::F16,
            wit::Format::Int8 => Self::Int8,
            wit::Format::Int4 => Self::Int4,
        }
    }
}

fn wrong(message: String) -> GuestError {
    GuestError {
        code: "kernels.layer".to_owned(),
        message,
    }
}
