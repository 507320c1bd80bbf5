//! Names the file that an error is about.

use std::path::Path;

use ampoule_signing::{Error, TrustError, text};

/// Returns a path for a message, as the user gave it.
#[must_use]
pub fn shown_path(path: &Path) -> String {
    text::name(&path.to_string_lossy())
}

/// Adds to an error about a file the path by which the user named the file, as [`shown_path`] shows it. The library's
/// messages name no file outside of a bundle, but a command that was given several has to say which one it means.
pub fn about<'p>(path: &'p Path) -> impl FnOnce(Error) -> Error + 'p {
    move |error| {
        let path = shown_path(path);
        let name = |what: String| format!("{what} {path:?}");
        let place = |what: &str| format!("{what} (in {path:?})");
        match error {
            Error::Io { doing, source } => Error::Io {
                doing: name(doing),
                source,
            },
            Error::IoExists { what } => Error::IoExists {
                what: name(what.into_owned()).into(),
            },
            Error::UsagePrivateKey { found } => Error::UsagePrivateKey {
                found: place(&found).into(),
            },
            Error::EnvelopeMalformed { document, reason } => Error::EnvelopeMalformed {
                document,
                reason: place(&reason),
            },
            Error::Trust(TrustError::Owner { what, owner, user }) => {
                Error::Trust(TrustError::Owner {
                    what: name(what),
                    owner,
                    user,
                })
            }
            Error::Trust(TrustError::Permissions {
                what,
                mode,
                who,
                fix,
            }) => Error::Trust(TrustError::Permissions {
                what: name(what),
                mode,
                who,
                fix,
            }),
            Error::Trust(TrustError::MalformedKey { found }) => {
                Error::Trust(TrustError::MalformedKey {
                    found: place(&found),
                })
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use ampoule_signing::{PublicKey, SecretKey};

    use super::*;

    #[test]
    fn a_file_that_fails_is_named_as_it_was_given() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acme.pub");
        let read = |path: &Path| PublicKey::read_file(path).map_err(about(path)).unwrap_err();
        let missing = read(&path);
        assert_eq!(missing.code(), "io.failed");
        std::fs::write(&path, "no key").unwrap();
        let wrong = read(&path);
        assert_eq!(wrong.code(), "trust.malformed-key");
        let key = SecretKey::generate().unwrap();
        let exists = key.public_key().write_file(&path).map_err(about(&path));
        let exists = exists.unwrap_err();
        assert_eq!(exists.code(), "io.exists");
        for error in [missing, wrong, exists] {
            let message = error.to_string();
            assert!(message.contains(&format!(" {path:?}")), "{message}");
        }
    }
}
