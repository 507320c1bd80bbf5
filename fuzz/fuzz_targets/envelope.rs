//! Feeds the check in `bodies/signing/envelope.rs`, which the tests of the signing library run too.
#![no_main]

#[path = "../bodies/signing/mod.rs"]
mod signing;
#[path = "../../signing/tests/signing/ustar.rs"]
mod ustar;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| signing::check("envelope", bytes));
