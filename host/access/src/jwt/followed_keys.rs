//! An issuer's public keys as they are in its JWKS file now.
//!
//! A file that cannot be read changes nothing: the keys that were read last stay in force. A set without a key for the
//! issuer takes its last one away, so that a stolen key can be withdrawn before there is another.
//! [`FollowedKeys::fault`] tells of both.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ampoule_signing::{PermissionPolicy, Sha256Digest, read_trusted_text};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::jwt::algorithm::{PublicAlgorithm, TokenAlgorithm};
use crate::jwt::key_set::KeySet;

/// Bytes of a JWKS file. Some issuers put chains of certificates beside their keys.
const MAX_BYTES: u64 = 256 * 1024;

/// A JWKS file by its path.
#[derive(Clone, Debug)]
pub struct KeySetFile {
    /// Path.
    pub path: PathBuf,
    /// Treatment of a file that others may change.
    pub permissions: PermissionPolicy,
    /// Algorithm of the keys. Others in the file are passed over.
    pub algorithm: PublicAlgorithm,
}

impl KeySetFile {
    fn read(&self) -> Result<Zeroizing<String>> {
        let location = self.permissions.at(&self.path);
        Ok(read_trusted_text(location, "the JWKS file", MAX_BYTES)?)
    }

    fn parse(&self, text: &str) -> Result<KeySet> {
        KeySet::read(text, self.algorithm.into()).map_err(Error::KeySet)
    }

    pub(super) fn algorithm(&self) -> TokenAlgorithm {
        self.algorithm.into()
    }

    fn no_keys(&self) -> Error {
        Error::NoKeys(self.algorithm())
    }
}

/// Keys of a file, and the file.
#[derive(Debug)]
pub(super) struct FollowedKeys {
    file: KeySetFile,
    current: RwLock<Arc<KeySet>>,
    look: Mutex<Look>,
}

/// The last look at the file.
#[derive(Debug)]
struct Look {
    /// Digest of the text that the keys in force are from.
    digest: Sha256Digest,
    fault: Option<Error>,
}

impl FollowedKeys {
    pub(super) fn open(file: KeySetFile) -> Result<Self> {
        let text = file.read()?;
        let keys = file.parse(&text)?;
        if keys.is_empty() {
            return Err(file.no_keys());
        }
        Ok(Self {
            file,
            current: RwLock::new(Arc::new(keys)),
            look: Mutex::new(Look {
                digest: Sha256Digest::of(text.as_bytes()),
                fault: None,
            }),
        })
    }

    pub(super) fn algorithm(&self) -> TokenAlgorithm {
        self.file.algorithm()
    }

    pub(super) fn current(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the reason why the keys in force are not those of the file, or are none, if there is one.
    pub(super) fn fault(&self) -> Option<Error> {
        self.last_look().fault.clone()
    }

    /// Reads the file again, and puts its keys in force if it has changed and can be used. Each fault is told once.
    pub(super) fn look(&self, issuer: &str) {
        let looked = self.file.read().and_then(|text| self.take(&text));
        let mut look = self.last_look();
        match &looked {
            Ok(true) => tracing::info!(
                target: "ampoule::keys", issuer,
                "the public keys of an issuer of tokens have changed"
            ),
            Ok(false) => {}
            Err(error) => {
                let told = look.fault.as_ref().map(ToString::to_string);
                if told != Some(error.to_string()) {
                    let effect = if matches!(error, Error::NoKeys(_)) {
                        "the JWKS file of an issuer of tokens has no key for them any more, and all of them are refused"
                    } else {
                        "the JWKS file of an issuer of tokens cannot be used, and the keys that were read last stay in \
                         force"
                    };
                    tracing::warn!(
                        target: "ampoule::keys",
                        code = error.code(), %error, issuer,
                        "{effect}"
                    );
                }
            }
        }
        look.fault = looked.err();
    }

    /// Puts the keys of a text in force. Returns false for the text that they are from already, and an error for a set
    /// without keys, which is in force, too.
    fn take(&self, text: &str) -> Result<bool> {
        let digest = Sha256Digest::of(text.as_bytes());
        let is_new = self.last_look().digest != digest;
        if is_new {
            let keys = self.file.parse(text)?;
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            *current = Arc::new(keys);
            drop(current);
            self.last_look().digest = digest;
        }
        if self.current().is_empty() {
            return Err(self.file.no_keys());
        }
        Ok(is_new)
    }

    fn last_look(&self) -> MutexGuard<'_, Look> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// The public key of RFC 8037, appendix A.2, under a name.
    fn set(name: &str) -> String {
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{name}","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}]}}"#
        )
    }

    #[test]
    fn a_file_that_cannot_be_used_leaves_the_last_keys_in_force_and_is_a_fault_until_mended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("jwks.json");
        let open = || {
            FollowedKeys::open(KeySetFile {
                path: path.clone(),
                permissions: PermissionPolicy::default(),
                algorithm: PublicAlgorithm::EdDsa,
            })
        };
        assert_eq!(open().unwrap_err().code(), "io.failed");
        fs::write(&path, set("one")).unwrap();
        let keys = open().unwrap();
        let look = |name: &str| {
            keys.look("issuer");
            assert!(keys.current().find(Some(name)).is_ok(), "{name}");
            keys.fault().map(|fault| fault.code())
        };
        for (content, code) in [
            (&b"{"[..], "key.jwks"),
            (b"\xff", "io.failed"),
            (&vec![b' '; 300 * 1024], "io.failed"),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!((look("one"), look("one")), (Some(code), Some(code)));
            fs::write(&path, set("one")).unwrap();
            assert_eq!(look("one"), None);
        }
        let set_mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o666);
        fs::write(&path, set("two")).unwrap();
        assert_eq!(look("one"), Some("trust.permissions"));
        set_mode(0o644);
        assert_eq!(look("two"), None);
        assert!(keys.current().find(Some("one")).is_err());
        fs::remove_file(&path).unwrap();
        assert!(look("two").is_some());
    }
}
