//! What must hold is in `bodies/signing/revocations.rs`, where the tests of the signing library find it too.
#![no_main]

#[path = "../bodies/signing/mod.rs"]
mod signing;
#[path = "../../signing/tests/signing/ustar.rs"]
mod ustar;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| signing::check("revocations", bytes));
