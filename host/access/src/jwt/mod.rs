//! JSON web tokens (RFC 7519), by which callers are known whom somebody else has signed in.
//!
//! A token is read by a parser that refuses what two readers could read in two ways. Its `iss` chooses among the issuers
//! that the operator configured, and nothing else of it is believed before the signature is checked. The algorithm and
//! the key are the issuer's: a token's header only has to agree with them. `docs/decisions/058-tokens-by-strict-reading.md`
//! says more.

mod algorithm;
mod claims;
mod compact;
mod followed_keys;
mod header;
mod issuer;
mod key_set;
mod shared_secret;
mod strict_json;
mod tokens;
mod verifying_key;

pub use algorithm::{PublicAlgorithm, TokenAlgorithm};
pub use followed_keys::KeySetFile;
pub use issuer::{Given, IssuerKeys, IssuerSettings, TokenIssuer};
pub use shared_secret::SharedSecret;
pub use tokens::Tokens;
