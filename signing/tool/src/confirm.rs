//! Asks a person to confirm a document before it is signed.

use std::io::{self, IsTerminal as _};

use ampoule_command_line::is_answered_yes;
use ampoule_signing::{Error, Result};

/// Shows `what` and goes on only after a `yes`. Without a terminal it refuses, and names the `option` that names the
/// document beforehand.
pub(crate) fn confirm(what: &str, option: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(Error::UsageArguments(format!(
            "there is no terminal to confirm the signature on; name the document to sign with {option}"
        )));
    }
    if !is_answered_yes(&format!("{what}\nSign this?")) {
        return Err(Error::UsageDeclined);
    }
    Ok(())
}
