//! Events of the library, on standard error when asked for.

use std::io::IsTerminal as _;

use tracing_subscriber::filter::LevelFilter;

/// Starts showing events: none without `-v`, what happens with `-v`, what guests say with `-vv`.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}
