//! What a guest asks to have packed: a layer, described by where its numbers lie in the model's files.

use ampoule_signing::ByteSize;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::assets::AssetFiles;
use crate::bindings::ampoule::model::host_kernels as wit;
use crate::bindings::ampoule::model::types::Error as GuestError;

/// The longest row. Sums of so many products of two bytes are still within 32 bits.
const MAX_INPUTS: u32 = 1 << 16;

/// Outputs of one layer: four times the largest vocabulary of a model that one core serves.
const MAX_OUTPUTS: u32 = 1 << 20;

/// Parts of one layer. Queries, keys and values are three.
const MAX_PARTS: usize = 16;

/// Outputs are packed by so many, the last of them filled up: the widest panel of any kernel.
const PANEL: u64 = 64;

/// Inputs of an output that share a scale in four bits.
pub(crate) const INT4_BLOCK: usize = 32;

/// A layer that was found right: it has a shape, its tensors are within their files, and its size can be
/// counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerSpec {
    inputs: u32,
    parts: Vec<PartSpec>,
    format: Format,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartSpec {
    pub(crate) outputs: u32,
    pub(crate) weights: TensorSpec,
    pub(crate) bias: Option<TensorSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TensorSpec {
    file: String,
    offset: u64,
    pub(crate) element: Element,
}

/// How numbers lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Element {
    F32,
    F16,
    Bf16,
}

/// How a matrix is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    F32,
    F16,
    Int8,
    Int4,
}

impl LayerSpec {
    /// Checks a guest's description against the files that there are. Errors: `kernels.layer`, `asset.*`.
    pub(crate) fn new(layer: wit::Layer, files: &AssetFiles) -> Result<Self, GuestError> {
        let spec = Self {
            inputs: layer.inputs,
            parts: layer.parts.into_iter().map(PartSpec::from).collect(),
            format: layer.format.into(),
        };
        spec.check(files)?;
        Ok(spec)
    }

    /// What [`LayerSpec::new`] checks; also asked of what another process or the cache says.
    pub(crate) fn check(&self, files: &AssetFiles) -> Result<(), GuestError> {
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

    pub(crate) fn inputs(&self) -> usize {
        self.inputs as usize
    }

    pub(crate) fn outputs(&self) -> usize {
        self.parts.iter().map(|part| part.outputs as usize).sum()
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn parts(&self) -> &[PartSpec] {
        &self.parts
    }

    /// The memory that it takes on the host, packed: at least as much as it really does.
    pub(crate) fn packed_bytes(&self) -> ByteSize {
        let inputs = u64::from(self.inputs);
        let outputs = (self.outputs() as u64).next_multiple_of(PANEL);
        let blocks = inputs.div_ceil(INT4_BLOCK as u64);
        // A row of the matrix; at most 2¹⁸ bytes, for at most 2²⁰ rows.
        let row = match self.format {
            Format::F32 => inputs * 4,
            Format::F16 => inputs * 2,
            // And a scale, and what a kernel keeps of the sums of 1,024 inputs each.
            Format::Int8 => inputs.next_multiple_of(4) + inputs.div_ceil(1024) * 16 + 16,
            Format::Int4 => blocks * (INT4_BLOCK as u64 / 2 + 2),
        };
        let bias = 4;
        // And what a kernel writes in front of a matrix.
        ByteSize::from_bytes(outputs * (row + bias) + 64)
    }

    /// The memory that its description takes.
    pub(crate) fn described_bytes(&self) -> usize {
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
    /// The bytes of so many numbers. Errors: `asset.not-found`, `asset.out-of-range`.
    pub(crate) fn bytes(&self, numbers: u64, files: &AssetFiles) -> Result<Bytes, GuestError> {
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
