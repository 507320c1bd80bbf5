//! Floods a server in the sizes that it is meant for, and prints its memory after each flood.
//!
//! Fails when the memory is not flat, or a good request is not answered. `cargo xtask soak --serve` runs it.

#![allow(clippy::print_stdout, reason = "a command line tool talks to its user")]

use std::process::ExitCode;

use ampoule_tests::{Flood, flood};

fn main() -> ExitCode {
    let size = Flood {
        invented_models: 100_000,
        slow_heads: 10_000,
        slow_bodies: 10_000,
        announced: 1_000,
        vanishing: 1_000,
    };
    let report = flood(size, &[]);
    println!("{report}");
    if report.is_flat() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
