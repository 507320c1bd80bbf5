//! Failures of the engine's that the system has caused: a setting of the service or the container that Ampoule cannot
//! work under, and no bug.

use std::io;

use rustix::io::Errno;

use crate::error::Error;
use crate::limit_table::Limit;

/// Returns the error for memory that the system refused while a model was made; `None` for any other cause.
/// Looks only at the system's error within the engine's, and at no words: a guest could write those.
pub fn out_of_memory(error: &wasmtime::Error) -> Option<Error> {
    let refusal = system_refusal(error)?;
    (refusal.raw_os_error() == Some(Errno::NOMEM.raw_os_error())).then(|| Error::CompileLimit {
        limit: Some(Limit::CompileMemory),
        reason: format!("the system gave no more memory: {refusal}"),
    })
}

/// Returns the system's error, if it made the engine fail.
pub fn system_refusal(error: &wasmtime::Error) -> Option<io::Error> {
    error.chain().find_map(|cause| {
        let errno = cause.downcast_ref::<Errno>().copied();
        let errno = errno.map(Errno::raw_os_error);
        let code = errno.or_else(|| cause.downcast_ref::<io::Error>()?.raw_os_error());
        code.map(io::Error::from_raw_os_error)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn no_memory_is_known_by_the_systems_number_and_never_by_words() {
        for cause in [
            wasmtime::Error::from(Errno::NOMEM),
            wasmtime::Error::from(io::Error::from_raw_os_error(12)),
        ] {
            let error = cause.context("making a memory");
            assert_eq!(out_of_memory(&error).unwrap().code(), "compile.limit");
        }
        for other in [
            wasmtime::Error::msg("cannot read: os error 12"),
            wasmtime::Error::from(Errno::DQUOT),
            wasmtime::Error::from(io::Error::other("Cannot allocate memory (os error 12)")),
            wasmtime::Error::from(wasmtime::Trap::UnreachableCodeReached).context("os error 12"),
        ] {
            assert!(out_of_memory(&other).is_none(), "{other:?}");
        }
    }
}
