//! Files of weights, as `model.safetensors` has them.

use std::collections::BTreeMap;

use half::{bf16, f16};
use serde_json::{Map, Value, json};

/// A tensor by name, row-major and with its shape.
pub type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// Number format of stored weights.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// As they are.
    F32,
    /// Rounded to half the bits.
    F16,
    /// Rounded to the upper half of the bits.
    BF16,
    /// With twice the bits.
    F64,
}

/// A file of these tensors, in the order of their names.
#[must_use]
pub fn file(tensors: &Tensors, format: Format) -> Vec<u8> {
    mixed_file(tensors, |_| format)
}

/// A file of these tensors, each stored as `format` says by its name.
#[must_use]
pub fn mixed_file(tensors: &Tensors, format: impl Fn(&str) -> Format) -> Vec<u8> {
    let (mut header, mut data) = (Map::new(), Vec::new());
    for (name, (shape, values)) in tensors {
        let start = data.len();
        let format = format(name);
        for &value in values {
            match format {
                Format::F32 => data.extend(value.to_le_bytes()),
                Format::F16 => data.extend(f16::from_f32(value).to_le_bytes()),
                Format::BF16 => data.extend(bf16::from_f32(value).to_le_bytes()),
                Format::F64 => data.extend(f64::from(value).to_le_bytes()),
            }
        }
        let dtype = match format {
            Format::F32 => "F32",
            Format::F16 => "F16",
            Format::BF16 => "BF16",
            Format::F64 => "F64",
        };
        header.insert(
            name.clone(),
            json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]}),
        );
    }
    file_of(&Value::Object(header), &data)
}

/// A file with this header and this data, whether they go together or not.
#[must_use]
pub fn file_of(header: &Value, data: &[u8]) -> Vec<u8> {
    let header = header.to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.into_bytes());
    file.extend(data);
    file
}
