//! `model.safetensors`: named tensors, read straight from their place in the file to the place
//! where they stay. The whole file is never in memory.

use std::cell::Cell;
use std::collections::BTreeSet;

#[cfg(feature = "host-kernels")]
use ampoule_guest::host_kernels::{ElementType, Format, Layer, Part, Tensor};
use ampoule_guest::{Assets, Error};
use ampoule_kernels::{PackedMatrix, Precision};
use ampoule_model_files::error;
use ampoule_model_files::json_file::{in_folder, is_there, quoted};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{IgnoredAny, MapAccess, Visitor};

const FILE: &str = "model.safetensors";

/// The length of the header, in front of it.
const LENGTH_BYTES: u64 = 8;

/// Bytes of a header, at most. A tensor takes some 150 of them, so the bound is 50,000 tensors.
const MAX_HEADER_BYTES: u64 = 8 << 20;

/// Files that hold weights in another form, and advice about each.
const OTHER_FILES: [(&str, &str); 2] = [
    (
        "model.safetensors.index.json",
        "the weights are in several files: save them as one",
    ),
    (
        "pytorch_model.bin",
        "the weights are a pickle, which is a program: save them as safetensors",
    ),
];

/// A safetensors file whose header has been read and checked against its size.
pub struct Weights<'a> {
    assets: &'a Assets,
    /// Its path in the bundle.
    file: String,
    tensors: Metadata,
    /// Start of the data, from which the header's offsets count.
    data_offset: u64,
    /// Prefix of every name.
    prefix: String,
    /// Format in which matrices are packed.
    precision: Precision,
    /// Bytes of memory that the tensors read so far take.
    bytes: Cell<usize>,
}

impl<'a> Weights<'a> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// `model.weights` when the file is no safetensors, is truncated or over-long, or names a tensor twice;
    /// `asset.*`.
    pub fn open(assets: &'a Assets) -> Result<Self, Error> {
        Self::open_in(assets, "")
    }

    /// Reads the header of the file that a `folder` of the bundle has: `""` is the bundle's own.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Weights::open).
    pub fn open_in(assets: &'a Assets, folder: &str) -> Result<Self, Error> {
        let file = in_folder(folder, FILE);
        let size = match assets.size(&file) {
            Err(missing) if missing.code == "asset.not-found" => {
                return Err(stored_otherwise(assets, folder)?.unwrap_or(missing));
            }
            size => size?,
        };
        if size < LENGTH_BYTES {
            return Err(error::weights(format!(
                "expected a safetensors header in `{file}`, found {size} bytes"
            )));
        }
        let mut length = [0; LENGTH_BYTES as usize];
        assets.read_into(&file, 0, &mut length)?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER_BYTES || length > size - LENGTH_BYTES {
            return Err(error::weights(format!(
                "expected a safetensors header of at most {} bytes in `{file}`, found one of \
                 {length}",
                MAX_HEADER_BYTES.min(size - LENGTH_BYTES)
            )));
        }
        let mut header = vec![0; length as usize];
        assets.read_into(&file, LENGTH_BYTES, &mut header)?;
        check_names(&header, &file)?;
        // This checks that tensors follow one another without gaps, each as long as its shape.
        let tensors: Metadata = serde_json::from_slice(&header).map_err(|found| {
            error::weights(format!("cannot read the header of `{file}`: {found}"))
        })?;
        let data_offset = LENGTH_BYTES + length;
        if size - data_offset != tensors.data_len() as u64 {
            return Err(error::weights(format!(
                "expected {} bytes of tensors in `{file}`, found {}",
                tensors.data_len(),
                size - data_offset
            )));
        }
        Ok(Weights {
            assets,
            file,
            tensors,
            data_offset,
            prefix: String::new(),
            precision: Precision::F32,
            bytes: Cell::new(0),
        })
    }

    /// Puts `prefix` in front of every name: for a network that was saved as part of a larger one.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.prefix.push_str(prefix);
        self
    }

    /// Narrows the file to the tensors of one network: that which has a tensor `anchor`. A network
    /// that was saved as part of a larger one has a prefix in front of its names, such as `bert.`.
    ///
    /// # Errors
    ///
    /// `model.weights` when no network has such a tensor, or more than one.
    pub fn of_the_network_with(self, anchor: &str) -> Result<Self, Error> {
        let prefix = {
            let names = self.names();
            let mut prefixes = names
                .iter()
                .filter_map(|name| name.strip_suffix(anchor))
                .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
            let file = &self.file;
            let Some(prefix) = prefixes.next() else {
                return Err(error::weights(format!(
                    "expected a tensor `{anchor}` in `{file}`, with any prefix, found none"
                )));
            };
            if let Some(other) = prefixes.next() {
                return Err(error::weights(format!(
                    "expected one tensor `{anchor}` in `{file}`, found one with the prefix `{}` and one with `{}`: \
                     save one network alone",
                    quoted(prefix.min(other)),
                    quoted(prefix.max(other))
                )));
            }
            prefix.to_owned()
        };
        Ok(self.within(&prefix))
    }

    /// Returns the full names of all tensors, in the order in which they lie in the file.
    pub fn names(&self) -> Vec<String> {
        self.tensors.offset_keys()
    }

    /// Packs matrices with this precision from now on. Without it they are packed as f32.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Tells whether there is a tensor `name`.
    pub fn has(&self, name: &str) -> bool {
        self.tensors
            .info(&format!("{}{name}", self.prefix))
            .is_some()
    }

    /// Returns how many bytes of memory the tensors read so far take, in the order and the type in which they are
    /// computed with: the `weights.bytes` of `describe`.
    pub fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Returns which of two names a tensor has: its own, or that of older files.
    ///
    /// # Errors
    ///
    /// `model.weights` when there are tensors of both names.
    pub fn name_of(&self, name: String, old: String) -> Result<String, Error> {
        match (self.has(&name), self.has(&old)) {
            (true, true) => Err(error::weights(format!(
                "expected `{name}` or `{old}`, which is its old name, in `{}`, found both",
                self.file
            ))),
            (false, true) => Ok(old),
            _ => Ok(name),
        }
    }

    /// Reads the tensor `name`, of exactly this shape, row-major.
    ///
    /// # Errors
    ///
    /// `model.weights` when there is none, or it has another shape or type; `asset.*`.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let (name, info) = self.find(name, shape)?;
        let mut values = Vec::with_capacity(elements(info)?);
        self.read(&name, info, |piece| values.extend_from_slice(piece))?;
        self.count(size_of_val(values.as_slice()));
        Ok(values)
    }

    /// Reads the tensors `names`, each of shape `[outputs, inputs…]`, packed as one matrix of
    /// `[names · outputs, inputs]`, where `inputs` is the product of all dimensions but the first.
    ///
    /// # Errors
    ///
    /// As for [`tensor`](Weights::tensor).
    pub fn packed(&self, names: &[String], shape: &[usize]) -> Result<PackedMatrix, Error> {
        // All of them before the memory is taken, so that what the file holds bounds it: twice that for halves,
        // which become f32, and more where there are fewer outputs than a strip, 32, or fewer inputs than a block.
        let tensors = names
            .iter()
            .map(|name| self.find(name, shape))
            .collect::<Result<Vec<_>, _>>()?;
        let (outputs, inputs) = match shape.split_first() {
            Some((&outputs, inputs)) => (outputs, inputs.iter().product()),
            None => (1, 1),
        };
        let mut packer = PackedMatrix::packer(self.precision, names.len() * outputs, inputs);
        for (name, info) in tensors {
            self.read(&name, info, |piece| packer.push(piece))?;
        }
        let packed = packer.finish();
        self.count(packed.bytes());
        Ok(packed)
    }

    /// Describes the layers `names` side by side to the host: the places in the file of each layer's tensors
    /// `{name}.weight` `[outputs, inputs]` and, with `has_bias`, `{name}.bias` `[outputs]`.
    ///
    /// # Errors
    ///
    /// As for [`tensor`](Weights::tensor).
    #[cfg(feature = "host-kernels")]
    pub(crate) fn layer(
        &self,
        names: &[&str],
        [outputs, inputs]: [usize; 2],
        has_bias: bool,
    ) -> Result<Layer, Error> {
        let size = |size: usize| {
            u32::try_from(size).map_err(|_| error::weights(format!("{size} is too large a layer")))
        };
        let bias = |name: &&str| self.place(&format!("{name}.bias"), &[outputs]);
        let part = |name: &&str| {
            Ok(Part {
                outputs: size(outputs)?,
                weights: self.place(&format!("{name}.weight"), &[outputs, inputs])?,
                bias: has_bias.then(|| bias(name)).transpose()?,
            })
        };
        Ok(Layer {
            inputs: size(inputs)?,
            parts: names.iter().map(part).collect::<Result<_, Error>>()?,
            format: format(self.precision),
        })
    }

    /// Returns the place of the tensor `name` in the file.
    #[cfg(feature = "host-kernels")]
    fn place(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let (_, info) = self.find(name, shape)?;
        Ok(Tensor {
            file: self.file.clone(),
            offset: self.data_offset + info.data_offsets.0 as u64,
            // `find` refuses all others.
            element: match info.dtype {
                Dtype::F16 => ElementType::F16,
                Dtype::BF16 => ElementType::Bf16,
                _ => ElementType::F32,
            },
        })
    }

    fn count(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes);
    }

    /// Returns the entry of `name`, with its full name, if it has this shape.
    fn find(&self, name: &str, shape: &[usize]) -> Result<(String, &TensorInfo), Error> {
        let name = format!("{}{name}", self.prefix);
        let Some(info) = self.tensors.info(&name) else {
            return Err(error::weights(format!(
                "expected a tensor `{name}` of shape {shape:?} in `{}`, found none",
                self.file
            )));
        };
        let known = matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16);
        if !known || info.shape != shape {
            return Err(error::weights(format!(
                "expected `{name}` as F32, F16 or BF16 of shape {shape:?} in `{}`, found \
                 {:?} of shape {:?}",
                self.file, info.dtype, info.shape
            )));
        }
        Ok((name, info))
    }

    /// Hands the tensor's numbers to `take`, a piece at a time, in order.
    fn read(
        &self,
        name: &str,
        info: &TensorInfo,
        mut take: impl FnMut(&[f32]),
    ) -> Result<(), Error> {
        let (start, end) = info.data_offsets;
        let mut numbers: Vec<f32> = Vec::new();
        let mut convert = |piece: &[u8]| {
            numbers.clear();
            match info.dtype {
                Dtype::F32 => {
                    numbers.extend(piece.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)));
                }
                Dtype::F16 => numbers.extend(
                    piece
                        .as_chunks()
                        .0
                        .iter()
                        .map(|&b| f16::from_le_bytes(b).to_f32()),
                ),
                Dtype::BF16 => numbers.extend(
                    piece
                        .as_chunks()
                        .0
                        .iter()
                        .map(|&b| bf16::from_le_bytes(b).to_f32()),
                ),
                other => {
                    return Err(error::weights(format!("`{name}` is {other:?}")));
                }
            }
            take(&numbers);
            Ok(())
        };
        self.assets.read_pieces(
            &self.file,
            self.data_offset + start as u64,
            (end - start) as u64,
            &mut convert,
        )
    }
}

/// Returns the error for weights that the folder has in another form; none where it has none.
fn stored_otherwise(assets: &Assets, folder: &str) -> Result<Option<Error>, Error> {
    for (name, advice) in OTHER_FILES {
        let other = in_folder(folder, name);
        if is_there(assets, &other)? {
            return Ok(Some(error::weights(format!(
                "expected `{}`, found `{other}`: {advice}",
                in_folder(folder, FILE)
            ))));
        }
    }
    Ok(None)
}

/// Checks that no two tensors have one name: readers differ in which of them they take.
fn check_names(header: &[u8], file: &str) -> Result<(), Error> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = ();

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object of tensors")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut names = BTreeSet::new();
            while let Some(name) = map.next_key::<String>()? {
                map.next_value::<IgnoredAny>()?;
                if let Some(twice) = names.replace(name) {
                    let twice = quoted(&twice);
                    return Err(serde::de::Error::custom(format!(
                        "`{twice}` is there twice"
                    )));
                }
            }
            Ok(())
        }
    }
    serde::Deserializer::deserialize_map(&mut serde_json::Deserializer::from_slice(header), Names)
        .map_err(|found| error::weights(format!("cannot read the header of `{file}`: {found}")))
}

/// Returns the number of elements; the header's check proved that they fit the file.
fn elements(info: &TensorInfo) -> Result<usize, Error> {
    info.shape
        .iter()
        .try_fold(1usize, |product, &dimension| product.checked_mul(dimension))
        .ok_or_else(|| error::weights(format!("{:?} is too large a shape", info.shape)))
}

/// Returns the precision in the contract's type.
#[cfg(feature = "host-kernels")]
fn format(precision: Precision) -> Format {
    match precision {
        Precision::F32 => Format::F32,
        Precision::F16 => Format::F16,
        Precision::Int8 => Format::Int8,
        Precision::Int4 => Format::Int4,
    }
}
