//! Feeds the check in `bodies/kernels/product.rs`, which the tests of the kernels run too.
#![no_main]

#[path = "../bodies/kernels/mod.rs"]
mod kernels;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| kernels::check("product", bytes));
