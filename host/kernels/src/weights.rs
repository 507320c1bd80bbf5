//! Weights of a layer as they lie in the model's files. They are read as binary32, a few outputs at a time.

use std::ops::Range;

use ampoule_sandbox::imports::assets::AssetFiles;
use ampoule_sandbox::imports::bindings::ampoule::model::types::Error as GuestError;
use ampoule_sandbox::imports::kernels::{Element, LayerSpec, TensorSpec};
use bytes::Bytes;
use rten_simd::f16;

/// Weights of a layer, `[outputs, inputs]`, and its bias.
pub(crate) struct Weights {
    inputs: usize,
    /// Outputs, bytes and element type of each part.
    parts: Vec<(usize, Bytes, Element)>,
    /// `[outputs]`.
    pub(crate) bias: Vec<f32>,
}

impl Weights {
    /// Finds the weights in the files. Errors: `kernels.layer`, `asset.*`.
    pub(crate) fn open(spec: &LayerSpec, files: &AssetFiles) -> Result<Self, GuestError> {
        spec.check(files)?;
        let mut weights = Self {
            inputs: spec.inputs(),
            parts: Vec::new(),
            bias: Vec::with_capacity(spec.outputs()),
        };
        for part in spec.parts() {
            let outputs = part.outputs as usize;
            let bytes = |tensor: &TensorSpec, numbers: usize| tensor.bytes(numbers as u64, files);
            let numbers = outputs * weights.inputs;
            let found = bytes(&part.weights, numbers)?;
            weights.parts.push((outputs, found, part.weights.element));
            match &part.bias {
                Some(bias) => read(&bytes(bias, outputs)?, bias.element, &mut weights.bias),
                None => weights.bias.resize(weights.bias.len() + outputs, 0.0),
            }
        }
        Ok(weights)
    }

    /// Reads the rows of these outputs, `[outputs, inputs]`.
    pub(crate) fn rows(&self, outputs: Range<usize>) -> Vec<f32> {
        let mut rows = Vec::with_capacity(outputs.len() * self.inputs);
        let mut first = 0;
        for (count, bytes, element) in &self.parts {
            let within = outputs.start.max(first)..outputs.end.min(first + count);
            if !within.is_empty() {
                let row = bytes.len() / count;
                let wanted = (within.start - first) * row..(within.end - first) * row;
                read(&bytes[wanted], *element, &mut rows);
            }
            first += count;
        }
        rows
    }
}

/// Appends the numbers that `bytes` encode.
fn read(bytes: &[u8], element: Element, to: &mut Vec<f32>) {
    match element {
        Element::F32 => to.extend(bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b))),
        Element::F16 => {
            let halves = bytes.as_chunks().0.iter();
            to.extend(halves.map(|&b| f16::from_bits(u16::from_le_bytes(b)).to_f32()));
        }
        Element::Bf16 => {
            let halves = bytes.as_chunks().0.iter();
            to.extend(halves.map(|&b| f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16)));
        }
    }
}
