//! What must hold is in `bodies/kernels/attention.rs`, where the tests of the kernels find it too.
#![no_main]

#[path = "../bodies/kernels/mod.rs"]
mod kernels;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| kernels::check("attention", bytes));
