//! Places of secrets. The configuration file names them and has no secret itself: it is read by more people.

use std::path::{Path, PathBuf};

use ampoule_command_line::shown_path;
use ampoule_signing::{PermissionPolicy, read_private_text, read_trusted_text, text};
use zeroize::Zeroizing;

use crate::error::Error;

/// Bytes of a secret's file. The longest that is taken has a kibibyte.
const MAX_BYTES: u64 = 4 * 1024;
/// Variable by which a service manager says where its credentials are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Place of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretSource {
    /// A variable of the environment.
    Variable(String),
    /// A file that only its owner may read.
    File(PathBuf),
    /// A credential of the service manager (systemd.exec(5), `LoadCredential=`).
    Credential(String),
}

impl SecretSource {
    /// Returns the place of a secret that is named in one way at most. `name` is the beginning of the keys.
    pub(crate) fn one_of(
        name: &str,
        variable: Option<&String>,
        file: Option<&PathBuf>,
        credential: Option<&String>,
    ) -> Result<Option<Self>, Error> {
        let variable = variable.cloned().map(Self::Variable);
        let file = file.cloned().map(Self::File);
        let credential = credential.cloned().map(Self::Credential);
        let mut named = [variable, file, credential].into_iter().flatten();
        let first = named.next();
        if named.next().is_some() {
            return Err(Error::Setting(format!(
                "expected one of `{name}-env`, `{name}-file` and `{name}-credential`, found more than one"
            )));
        }
        Ok(first)
    }

    /// Reads the secret. `what` names it in messages.
    pub(crate) fn read(
        &self,
        what: &str,
        permissions: &PermissionPolicy,
    ) -> Result<Zeroizing<String>, Error> {
        match self {
            Self::Variable(name) => match std::env::var(name) {
                Ok(secret) => Ok(Zeroizing::new(secret)),
                Err(_) => Err(Error::Setting(format!(
                    "{what} is to be in the variable {:?}, which is not set, or is no text in UTF-8",
                    text::name(name)
                ))),
            },
            Self::File(path) => {
                let read = read_private_text(permissions.at(path), what, MAX_BYTES);
                read.map_err(|error| about(path, error))
            }
            Self::Credential(name) => {
                let path = credential(name)?;
                // The service manager guards the directory, and may give a group the right to read.
                let read = read_trusted_text(permissions.at(&path), what, MAX_BYTES);
                read.map_err(|error| about(&path, error))
            }
        }
    }
}

fn about(path: &Path, error: ampoule_signing::Error) -> Error {
    Error::SecretFile {
        file: shown_path(path),
        error,
    }
}

/// Returns the file of a credential, whose name is one part of a path.
fn credential(name: &str) -> Result<PathBuf, Error> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.starts_with('.') || !name.bytes().all(is_plain) {
        return Err(Error::Setting(format!(
            "expected the name of a credential, letters, digits and -_. that begin with no dot, found {:?}",
            text::name(name)
        )));
    }
    let directory = std::env::var_os(CREDENTIALS).ok_or_else(|| {
        Error::Setting(format!(
            "the credential {name} is to come from the service manager, and {CREDENTIALS} is not set; start the server \
             by a unit with `LoadCredential={name}:…`"
        ))
    })?;
    Ok(Path::new(&directory).join(name))
}
