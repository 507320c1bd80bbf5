//! Feeds the check in `bodies/host/description.rs`, which the end-to-end tests run too.
#![no_main]

#[path = "../bodies/host/mod.rs"]
mod host;
#[path = "../bodies/survived_panics.rs"]
mod survived_panics;

use libfuzzer_sys::fuzz_target;

fuzz_target!(init: survived_panics::allow(), |bytes: &[u8]| host::check("description", bytes));
