//! Types of a tensor's elements.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::said::Part;

/// A type of elements, as the protocol names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Fp32,
    Fp64,
    Bf16,
    Bytes,
}

/// Every type with its name and the bytes of one element; `BYTES` has elements of any length.
const TYPES: [(Datatype, &str, Option<usize>); 14] = [
    (Datatype::Bool, "BOOL", Some(1)),
    (Datatype::Uint8, "UINT8", Some(1)),
    (Datatype::Uint16, "UINT16", Some(2)),
    (Datatype::Uint32, "UINT32", Some(4)),
    (Datatype::Uint64, "UINT64", Some(8)),
    (Datatype::Int8, "INT8", Some(1)),
    (Datatype::Int16, "INT16", Some(2)),
    (Datatype::Int32, "INT32", Some(4)),
    (Datatype::Int64, "INT64", Some(8)),
    (Datatype::Fp16, "FP16", Some(2)),
    (Datatype::Fp32, "FP32", Some(4)),
    (Datatype::Fp64, "FP64", Some(8)),
    (Datatype::Bf16, "BF16", Some(2)),
    (Datatype::Bytes, "BYTES", None),
];

impl Datatype {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let found = TYPES.iter().find(|(_, known, _)| *known == name);
        found.map(|(datatype, ..)| *datatype)
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().map_or("", |(_, name, _)| name)
    }

    /// Returns the bytes of one element; `None` for `BYTES`.
    pub(crate) fn bytes(self) -> Option<usize> {
        self.row().and_then(|(.., bytes)| *bytes)
    }

    /// Tells whether JSON has no form for such elements.
    pub(crate) fn is_binary_only(self) -> bool {
        matches!(self, Self::Fp16 | Self::Bf16)
    }

    fn row(self) -> Option<&'static (Self, &'static str, Option<usize>)> {
        TYPES.iter().find(|(datatype, ..)| *datatype == self)
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Part for Datatype {
    fn add_to(&self, text: &mut String) {
        text.push_str(self.name());
    }
}

impl Serialize for Datatype {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
