//! Feeds the check in `bodies/access/jwt.rs`, which the tests of `ampoule-access` run too.
#![no_main]

#[path = "../bodies/access/mod.rs"]
mod access;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| access::check("jwt", bytes));
