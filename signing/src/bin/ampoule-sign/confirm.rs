//! Asking a person whether what is shown is what they mean to sign, before they have signed it.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use ampoule_signing::{Error, Result};

/// Longer than `yes`; no more of an answer is read.
const MAX_ANSWER_BYTES: u64 = 64;

/// Shows `what` and goes on only after a `yes`. Without a terminal there is nobody to ask: `option` is
/// how to say beforehand what is meant.
pub(crate) fn confirm(what: &str, option: &str) -> Result<()> {
    if !io::stdin().is_terminal() {
        return Err(Error::UsageArguments(format!(
            "there is no terminal to ask whether this is what you mean to sign; say what you mean with \
             {option}"
        )));
    }
    let mut line = String::new();
    // Beside the answer, which may be JSON.
    let asked = write!(io::stderr(), "{what}\nSign this? Type `yes`: ")
        .and_then(|()| io::stderr().flush())
        .and_then(|()| {
            io::stdin()
                .lock()
                .take(MAX_ANSWER_BYTES)
                .read_line(&mut line)
        });
    match asked {
        Ok(_) if line.trim() == "yes" => Ok(()),
        _ => Err(Error::UsageDeclined),
    }
}
