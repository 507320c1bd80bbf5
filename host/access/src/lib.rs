//! Decides who may ask a server, what they may do, and how much.
//!
//! Nothing in here knows of HTTP: a server hands over the bytes of a header and gets a [`Principal`] or a [`Denial`].
//!
//! An **API key** is `amp_`, a public name and 256 random bits. It is shown once, when it is made. A [`KeyDirectory`]
//! holds a keyed hash of it beside its [`KeySettings`]: a role, a tenant, the models and tasks that it is for, limits and
//! an end. A [`KeyStore`] follows such a directory and accepts keys by it.
//!
//! A **token** is a signed statement of an issuer about a caller, a JSON web token. [`Tokens`] accepts those of the issuers
//! that an operator names, each by keys of one algorithm.
//!
//! A **[`Principal`]** is a caller that was accepted. Its [`Role`] has some [`Permission`]s, and its [`Scope`] hides
//! models and tasks.
//!
//! A **[`Limiter`]** lets requests in as far as the [`Rates`] of a caller, its tenant, its route or its address allow.
//! [`Proxies`] find the address of a client behind them.
//!
//! A **[`Denial`]** has a [`Reason`] for the operator's log. A client is told no more than the reason's
//! [`DenialKind`].
//!
//! ```
//! use ampoule_access::{
//!     KeyDirectory, KeySettings, KeyStore, MacKeySource, Permission, Presented, Role,
//! };
//! use ampoule_signing::{PermissionPolicy, Timestamp};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let parent = tempfile::tempdir()?;
//! # let path = parent.path().join("keys");
//! let now = Timestamp::now();
//! let directory = KeyDirectory::new(&path, PermissionPolicy::default());
//! let settings = KeySettings::new(Role::Infer, "acme".parse()?);
//! let key = directory.add(settings, now)?.text.reveal();
//!
//! let store = KeyStore::open(directory, MacKeySource::Directory)?;
//! let header = format!("Bearer {}", *key);
//! let Ok(Presented::Key(presented)) = Presented::find(&[header.as_bytes()]) else {
//!     return Err("expected a key".into());
//! };
//! let principal = store.check(&presented, now).map_err(|denial| denial.reason.code())?;
//! assert!(principal.may(Permission::Infer) && !principal.may(Permission::Metrics));
//! # Ok(())
//! # }
//! ```
//!
//! # Modules
//!
//! Each imports only from those to its left or above:
//!
//! ```text
//! text_form, token_fault → key_name, permission, scope, rates → denial → principal
//! key_text → key_hash → key_record → key_file → key_directory → key_store
//! bearer                                     the header and the credential in it
//! jwt                                        tokens of issuers
//! gcra → table; concurrency → limiter        amounts in a time, and requests at one time
//! address → proxies → forwarded              a client's address, also behind proxies
//! ```
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a unit test fails by panicking"
    )
)]

mod address;
mod bearer;
mod concurrency;
mod denial;
mod error;
mod forwarded;
mod gcra;
mod jwt;
mod key_directory;
mod key_file;
mod key_hash;
mod key_name;
mod key_record;
mod key_store;
mod key_text;
mod limiter;
mod permission;
mod principal;
mod proxies;
mod rates;
mod scope;
mod table;
mod text_form;
mod token_fault;

pub use address::ClientAddress;
pub use bearer::Presented;
pub use denial::{Denial, DenialKind, LimitScope, LimitUnit, Reason};
pub use error::{Error, Result};
pub use forwarded::{Client, ForwardedHeaders};
pub use jwt::{
    Given, IssuerKeys, IssuerSettings, KeySetFile, PublicAlgorithm, SharedSecret, TokenAlgorithm,
    TokenIssuer, Tokens,
};
pub use key_directory::{KeyDirectory, NewKey};
pub use key_hash::{MacKey, MacKeyId};
pub use key_name::{KeyName, TenantName};
pub use key_record::{KeyRecord, KeySettings};
pub use key_store::{KeyChanges, KeyStore, MacKeySource};
pub use key_text::KeyText;
pub use limiter::{Asked, Charge, Limiter, LimiterSettings, RouteId, Standing, Window};
pub use permission::{Permission, Permissions, Role};
pub use principal::{LimitId, Principal, PrincipalKind, SubjectHash};
pub use proxies::{Network, Proxies};
pub use rates::{Rate, Rates};
pub use scope::{NamePattern, Scope, TaskName};
pub use token_fault::TokenFault;
