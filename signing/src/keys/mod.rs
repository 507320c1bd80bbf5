//! Ed25519 keys, in memory and in files.
//!
//! ```text
//! key_kind         names of whatever was given in place of a key
//! pem              finds the one block of a file that is a key
//! key_encryption   the encryptions of private keys that are opened
//! key              PublicKey and SecretKey
//! key_file         reading and writing their files
//! ```

pub(crate) mod key;
pub(crate) mod key_encryption;
pub(crate) mod key_file;
pub(crate) mod key_kind;
pub(crate) mod pem;
