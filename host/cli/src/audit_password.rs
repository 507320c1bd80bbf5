//! Sources of the password of an audit log's identity: a file, the environment or a person.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use ampoule_signing::{Error, PermissionPolicy, Result, read_private_text};
use clap::Args;
use zeroize::Zeroizing;

/// Environment variable with the password.
const VARIABLE: &str = "AMPOULE_AUDIT_PASSWORD";
/// The longest password file.
const MAX_PASSWORD_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub(crate) struct PasswordOption {
    /// File with the identity's password on its only line, readable by its owner only. Without it,
    /// AMPOULE_AUDIT_PASSWORD is used, else the terminal is asked.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordOption {
    /// Returns the password of an identity that is there.
    pub(crate) fn get(&self, permissions: &PermissionPolicy) -> Result<Zeroizing<String>> {
        match self.given(permissions)? {
            Some(password) => Ok(password),
            None => ask("Password of the identity: "),
        }
    }

    /// Returns the password of a new identity; a person types it twice.
    pub(crate) fn choose(&self, permissions: &PermissionPolicy) -> Result<Zeroizing<String>> {
        if let Some(password) = self.given(permissions)? {
            return Ok(password);
        }
        let password = ask("New password for the identity: ")?;
        if *password != *ask("The same again: ")? {
            return Err(Error::UsagePassword(
                "the two passwords differ; nothing was written",
            ));
        }
        Ok(password)
    }

    fn given(&self, permissions: &PermissionPolicy) -> Result<Option<Zeroizing<String>>> {
        let text = match &self.password_file {
            Some(path) => read_private_text(
                permissions.at(path),
                "the password file",
                MAX_PASSWORD_BYTES,
            )?,
            None => match std::env::var(VARIABLE) {
                Ok(text) => Zeroizing::new(text),
                Err(std::env::VarError::NotPresent) => return Ok(None),
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(Error::UsagePassword(
                        "the variable AMPOULE_AUDIT_PASSWORD is not UTF-8",
                    ));
                }
            },
        };
        // Line ends come from the program that wrote the file.
        let line = text.trim_end_matches(['\r', '\n']);
        if line.contains(['\r', '\n']) {
            return Err(Error::UsagePassword(
                "expected a password on one line, in the file or the environment variable, and found more lines",
            ));
        }
        Ok(Some(Zeroizing::new(line.to_owned())))
    }
}

fn ask(question: &str) -> Result<Zeroizing<String>> {
    // In a pipe or under a scheduler nobody would ever answer.
    if !std::io::stdin().is_terminal() {
        return Err(Error::UsagePassword(
            "there is no terminal to ask for the identity's password; give --password-file or AMPOULE_AUDIT_PASSWORD",
        ));
    }
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(|_| Error::UsagePassword("the terminal gave no password"))
}
