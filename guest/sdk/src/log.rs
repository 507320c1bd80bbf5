//! Messages for the operator of the host.
//!
//! A guest has no standard streams worth using: what it holds of them does not survive the
//! snapshot that is taken after `init`. The host bounds what is written here, and labels it with
//! the model's name.
//!
//! ```no_run
//! ampoule_guest::log::info(format_args!("loaded {} layers", 6));
//! ```

use std::fmt::Display;

pub use crate::bindings::model::ampoule::model::log::Level;

/// Something failed.
pub fn error(message: impl Display) {
    write(Level::Error, message);
}

/// Something is odd, and the model went on.
pub fn warn(message: impl Display) {
    write(Level::Warn, message);
}

/// A fact of normal running.
pub fn info(message: impl Display) {
    write(Level::Info, message);
}

/// For the model's author.
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
