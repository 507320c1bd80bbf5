//! Which failures of the engine's are the system's doing: a setting of the service or the container that
//! Ampoule cannot live with, and no bug.

use std::io;

use rustix::io::Errno;

/// What the system answered, if that is why the engine failed.
pub(crate) fn system_refusal(error: &wasmtime::Error) -> Option<io::Error> {
    error.chain().find_map(|cause| {
        let errno = cause.downcast_ref::<Errno>().copied();
        let errno = errno.map(Errno::raw_os_error);
        let code = errno.or_else(|| cause.downcast_ref::<io::Error>()?.raw_os_error());
        code.map(io::Error::from_raw_os_error)
    })
}
