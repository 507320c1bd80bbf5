//! Sources of a private key's password: a file, the environment or a person. It is never an argument, which every
//! user of the machine can read in the list of processes.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use ampoule_command_line::about;
use ampoule_signing::{Error, PermissionPolicy, Result, SecretKey, read_private_text};
use clap::Args;
use zeroize::Zeroizing;

/// Environment variables for the password and for a new one.
pub(crate) const VARIABLE: &str = "AMPOULE_SIGN_PASSWORD";
pub(crate) const NEW_VARIABLE: &str = "AMPOULE_SIGN_NEW_PASSWORD";
/// The longest password file.
const MAX_PASSWORD_BYTES: u64 = 4096;

/// The options of every command that opens a private key.
#[derive(Args)]
pub(crate) struct PasswordSource {
    /// File with the private key's password on its only line, readable by its owner only. Without
    /// it, AMPOULE_SIGN_PASSWORD is used, else the terminal is asked.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl PasswordSource {
    /// Reads a private key, and its password if it has one.
    pub(crate) fn open_key(&self, key: &Path, permissions: &PermissionPolicy) -> Result<SecretKey> {
        let password = || match given(self.password_file.as_deref(), VARIABLE, permissions)? {
            Some(password) => Ok(password),
            None => prompt("Password of the private key: "),
        };
        // An error of the password's is about another file.
        let mut asked = Ok(());
        let read = SecretKey::read_file(permissions.at(key), || {
            password().inspect_err(|error| asked = Err(error.clone()))
        });
        asked.and(read.map_err(about(key)))
    }

    /// Returns a password for a new key; a person types it twice.
    pub(crate) fn choose(&self, permissions: &PermissionPolicy) -> Result<Zeroizing<String>> {
        choose(self.password_file.as_deref(), VARIABLE, permissions)
    }
}

/// The options of the command that gives a key another password.
#[derive(Args)]
pub(crate) struct NewPasswordSource {
    /// File with the new password on its only line, readable by its owner only. Without it,
    /// AMPOULE_SIGN_NEW_PASSWORD is used, else the terminal is asked.
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

impl NewPasswordSource {
    /// Returns the password; a person types it twice.
    pub(crate) fn choose(&self, permissions: &PermissionPolicy) -> Result<Zeroizing<String>> {
        choose(self.new_password_file.as_deref(), NEW_VARIABLE, permissions)
    }
}

fn choose(
    file: Option<&Path>,
    variable: &str,
    permissions: &PermissionPolicy,
) -> Result<Zeroizing<String>> {
    if let Some(password) = given(file, variable, permissions)? {
        return Ok(password);
    }
    let password = prompt("New password for the private key: ")?;
    if *password != *prompt("The same again: ")? {
        return Err(Error::UsagePassword(
            "the two passwords differ; nothing was written",
        ));
    }
    Ok(password)
}

fn given(
    file: Option<&Path>,
    variable: &str,
    permissions: &PermissionPolicy,
) -> Result<Option<Zeroizing<String>>> {
    if let Some(path) = file {
        let text = read_private_text(
            permissions.at(path),
            "the password file",
            MAX_PASSWORD_BYTES,
        )
        .map_err(about(path))?;
        return only_line(&text).map(Some);
    }
    match std::env::var(variable).map(Zeroizing::new) {
        Ok(password) => only_line(&password).map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => Err(Error::UsagePassword(
            "the environment variable with the password is not UTF-8",
        )),
    }
}

/// Takes the password from its line. Line ends and a byte order mark come from the program that wrote the file.
fn only_line(text: &str) -> Result<Zeroizing<String>> {
    let line = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .trim_end_matches(['\r', '\n']);
    if line.contains(['\r', '\n']) {
        return Err(Error::UsagePassword(
            "expected a password on one line, in the file or the environment variable, and found more lines",
        ));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn prompt(question: &str) -> Result<Zeroizing<String>> {
    // In a pipe or under a scheduler nobody would ever answer.
    if !std::io::stdin().is_terminal() {
        return Err(Error::UsagePassword(
            "the private key is encrypted, and there is no terminal to ask for its password; give --password-file \
             or AMPOULE_SIGN_PASSWORD",
        ));
    }
    rpassword::prompt_password(question)
        .map(Zeroizing::new)
        .map_err(|_| Error::UsagePassword("the terminal gave no password"))
}
