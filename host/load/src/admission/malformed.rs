//! Error for bytes that are no component.

use ampoule_sandbox::Error;
use ampoule_units::text;
use wasmtime::wasmparser::BinaryReaderError;

/// Returns `compile.failed` for bytes that the parser refused.
pub(crate) fn malformed(error: &BinaryReaderError) -> Error {
    Error::Compile {
        reason: text::sentence(&format!("not a valid WebAssembly component: {error}")),
    }
}
