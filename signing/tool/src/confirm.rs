//! Asking a person whether what is shown is what they mean to sign, before they have signed it.

use std::io::{self, IsTerminal as _};

use ampoule_command_line::is_answered_yes;
use ampoule_signing::{Error, Result};

/// Shows `what` and goes on only after a `yes`. Without a terminal there is nobody to ask: `option` is
/// how to say beforehand what is meant.
pub(crate) fn confirm(what: &str, option: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(Error::UsageArguments(format!(
            "there is no terminal to ask whether this is what you mean to sign; say what you mean with \
             {option}"
        )));
    }
    if !is_answered_yes(&format!("{what}\nSign this?")) {
        return Err(Error::UsageDeclined);
    }
    Ok(())
}
