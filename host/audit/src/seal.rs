//! Sealing: rows are compressed (zstd, RFC 8878) and encrypted to public keys (age-encryption.org/v1, X25519).
//!
//! Two types for two parties: [`Recipients`] seal and cannot open, an [`Identity`] opens. A server has the first only.
//! No other file knows `age` or `zstd`.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::str::FromStr;

use age::secrecy::{ExposeSecret as _, SecretString};
use ampoule_units::ParseError;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// Recipients of one log. Each has a line in the file of each batch.
pub const MAX_RECIPIENTS: usize = 16;
/// Bytes of the rows of one batch, before they are compressed. A batch names its own length, so a hostile log could
/// otherwise have a reader take all the memory there is. Sealed, they always fit into a frame.
pub const MAX_BATCH_BYTES: usize = 12 << 20;
/// Bytes of a file of an identity that are read, which are more than it may have.
pub const MAX_IDENTITY_BYTES: u64 = 64 << 10;
/// zstd's own default level.
const LEVEL: i32 = 3;
/// The cost of the password of an identity's file: N = 2^18, r = 8, 256 MiB, as `age` has it.
const SCRYPT_LOG_N: u8 = 18;
/// The highest cost that is paid to open such a file: 1 GiB. A hostile file could otherwise name any.
const MAX_SCRYPT_LOG_N: u8 = 20;

/// Public keys that rows are sealed to, at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipients(Vec<age::x25519::Recipient>);

impl Recipients {
    /// Reads public keys such as `age1…`.
    ///
    /// # Errors
    ///
    /// [`Error::Recipient`] for none, too many, another text, or one of them twice.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self> {
        let mut recipients = Vec::new();
        for text in texts {
            let recipient = text.parse().map_err(|_| {
                let shown: String = text.chars().take(12).collect();
                Error::Recipient(format!(
                    "expected a recipient, `age1` and 58 letters, as `ampoule audit keygen` prints it, and found one \
                     that begins with {shown:?}"
                ))
            })?;
            if recipients.contains(&recipient) {
                return Err(Error::Recipient(format!(
                    "the recipient {text} is named twice"
                )));
            }
            recipients.push(recipient);
        }
        if recipients.is_empty() || recipients.len() > MAX_RECIPIENTS {
            return Err(Error::Recipient(format!(
                "expected 1 to {MAX_RECIPIENTS} recipients that may read the audit log, and found {}",
                recipients.len()
            )));
        }
        Ok(Self(recipients))
    }

    /// Returns their texts, in order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Compresses and encrypts rows, each a line.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`].
    pub fn seal(&self, rows: u32, lines: &[u8]) -> Result<Sealed> {
        if lines.len() > MAX_BATCH_BYTES {
            return Err(Error::TooLarge {
                found: lines.len(),
                most: MAX_BATCH_BYTES,
            });
        }
        let compressed = zstd::bulk::compress(lines, LEVEL).map_err(Error::io("compress rows"))?;
        let recipients = self
            .0
            .iter()
            .map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients)
            .map_err(|_| Error::Internal("recipients that do not go together"))?;
        let failed = Error::io("encrypt rows");
        let mut sealed = encryptor
            .wrap_output(Vec::with_capacity(compressed.len() + 1024))
            .map_err(&failed)?;
        sealed.write_all(&compressed).map_err(&failed)?;
        let bytes = sealed.finish().map_err(&failed)?;
        Ok(Sealed { rows, bytes })
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

/// Rows that only the holder of an identity can read.
#[derive(Clone)]
pub struct Sealed {
    rows: u32,
    bytes: Vec<u8>,
}

impl Sealed {
    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Returns the age file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} rows, {} bytes)", self.rows, self.bytes.len())
    }
}

/// Private key that opens rows. It is for the auditor's machine, and never for the server's.
pub struct Identity(age::x25519::Identity);

impl Identity {
    /// Makes a new one from the system's random numbers.
    #[must_use]
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Returns the public key to seal to.
    #[must_use]
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }

    /// Writes a file of the identity, as `age-keygen` does.
    #[must_use]
    pub fn to_file(&self) -> Zeroizing<Vec<u8>> {
        let secret = self.0.to_string();
        let text = format!(
            "# public key: {}\n{}\n",
            self.recipient(),
            secret.expose_secret()
        );
        Zeroizing::new(text.into_bytes())
    }

    /// Writes a file of the identity under a password, as `age-keygen | age --passphrase` does.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`] when the password is empty.
    pub fn to_encrypted_file(&self, password: &str) -> Result<Vec<u8>> {
        if password.is_empty() {
            return Err(Error::Identity(
                "the password is empty; choose one".to_owned(),
            ));
        }
        let mut recipient = age::scrypt::Recipient::new(SecretString::from(password.to_owned()));
        recipient.set_work_factor(SCRYPT_LOG_N);
        age::encrypt(&recipient, &self.to_file())
            .map_err(|_| Error::Internal("an identity under a password"))
    }

    /// Tells whether a file of an identity needs a password.
    #[must_use]
    pub fn is_encrypted_file(file: &[u8]) -> bool {
        file.starts_with(b"age-encryption.org/")
    }

    /// Reads a file of an identity: one line of it, and comments. `password` opens one that is encrypted.
    ///
    /// # Errors
    ///
    /// [`Error::Identity`].
    pub fn from_file(file: &[u8], password: Option<&str>) -> Result<Self> {
        if !Self::is_encrypted_file(file) {
            return Self::from_plain(file);
        }
        let password = password.ok_or_else(|| {
            Error::Identity("the identity is encrypted, and no password is given".to_owned())
        })?;
        let mut key = age::scrypt::Identity::new(SecretString::from(password.to_owned()));
        key.set_max_work_factor(MAX_SCRYPT_LOG_N);
        let plain = age::decrypt(&key, file).map_err(|error| {
            let words = match error {
                age::DecryptError::ExcessiveWork { .. } => {
                    "opening the identity would take more than 1 GiB; encrypt it anew with `ampoule audit keygen`"
                }
                age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed => {
                    "the password does not open the identity"
                }
                _ => "the identity is damaged, or not encrypted with a password",
            };
            Error::Identity(words.to_owned())
        })?;
        Self::from_plain(&Zeroizing::new(plain))
    }

    fn from_plain(file: &[u8]) -> Result<Self> {
        let refused = || {
            Error::Identity(
                "expected an identity, a line `AGE-SECRET-KEY-1…` as `ampoule audit keygen` writes it"
                    .to_owned(),
            )
        };
        let text = std::str::from_utf8(file).map_err(|_| refused())?;
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(refused());
        };
        let identity = age::x25519::Identity::from_str(line).map_err(|_| refused())?;
        Ok(Self(identity))
    }

    /// Opens the payload of a batch. `None` if it is not sealed to this identity, or not whole.
    pub(crate) fn open(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let compressed = age::decrypt(&self.0, payload).ok()?;
        let mut lines = Vec::new();
        zstd::stream::read::Decoder::with_buffer(compressed.as_slice())
            .ok()?
            .single_frame()
            .take(MAX_BATCH_BYTES as u64 + 1)
            .read_to_end(&mut lines)
            .ok()?;
        (lines.len() <= MAX_BATCH_BYTES).then_some(lines)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, …)", self.recipient())
    }
}

impl FromStr for Recipients {
    type Err = ParseError;

    /// Reads a file of recipients: one a line, and comments.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self::parse(lines).map_err(|error| ParseError(error.to_string()))
    }
}
