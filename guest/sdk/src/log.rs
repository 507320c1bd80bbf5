//! Messages for the operator of the host.
//!
//! Standard streams are no substitute: a guest's buffers of them do not survive the snapshot that the host takes
//! after `init`. The host bounds the messages and labels them with the model's name.
//!
//! ```no_run
//! ampoule_guest::log::info(format_args!("loaded {} layers", 6));
//! ```

use std::fmt::Display;

pub use crate::bindings::model::ampoule::model::log::Level;

/// Logs a failure.
pub fn error(message: impl Display) {
    write(Level::Error, message);
}

/// Logs an oddity that the model got past.
pub fn warn(message: impl Display) {
    write(Level::Warn, message);
}

/// Logs a fact of normal running.
pub fn info(message: impl Display) {
    write(Level::Info, message);
}

/// Logs a detail for the model's author.
pub fn debug(message: impl Display) {
    write(Level::Debug, message);
}

/// Writes one message of the given level.
pub fn write(level: Level, message: impl Display) {
    let message = message.to_string();
    #[cfg(target_arch = "wasm32")]
    crate::bindings::model::ampoule::model::log::write(level, &message);
    #[cfg(not(target_arch = "wasm32"))]
    {
        use std::io::Write as _;
        // Nobody is left to tell when the standard error cannot be written to.
        let _ = writeln!(std::io::stderr(), "{level:?}: {message}");
    }
}
