//! Tokens that a server accepts, by their issuers.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use ampoule_signing::{Error as SigningError, Timestamp};

use crate::denial::{Denial, Reason};
use crate::error::{Error, Result};
use crate::jwt::claims::Claims;
use crate::jwt::compact::Compact;
use crate::jwt::header::Header;
use crate::jwt::issuer::TokenIssuer;
use crate::principal::Principal;
use crate::token_fault::TokenFault;

/// Time between two looks at the files of issuers' keys.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tokens that a server accepts. Dropping it ends the thread that follows the files of issuers' keys.
pub struct Tokens {
    issuers: Arc<[TokenIssuer]>,
    /// The longest time that a token may count for.
    longest: Duration,
    /// Ends the thread when it is dropped.
    _end: Sender<()>,
}

impl Tokens {
    /// Accepts tokens of these issuers that count for at most `longest`, and follows the files of their keys from now on.
    ///
    /// # Errors
    ///
    /// `usage.token-settings` for two issuers of one name, and `io.failed` where the system gives no thread.
    pub fn of(issuers: Vec<TokenIssuer>, longest: Duration) -> Result<Self> {
        for (place, issuer) in issuers.iter().enumerate() {
            let before = issuers.iter().take(place);
            if before
                .into_iter()
                .any(|other| other.name() == issuer.name())
            {
                return Err(Error::TokenSettings(format!(
                    "expected each issuer once, found {:?} twice",
                    ampoule_units::text::name(issuer.name())
                )));
            }
        }
        let issuers: Arc<[TokenIssuer]> = issuers.into();
        let (end, ended) = channel::<()>();
        if issuers.iter().any(|issuer| issuer.followed().is_some()) {
            let followed = Arc::clone(&issuers);
            let follow = move || {
                while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK_EVERY) {
                    // A bug in one look must not be the end of looking: then no key could be withdrawn.
                    let looked = catch_unwind(AssertUnwindSafe(|| look(&followed)));
                    if looked.is_err() {
                        tracing::error!(
                            target: "ampoule::keys",
                            code = "internal.bug",
                            "a look at an issuer's keys panicked; please report it"
                        );
                    }
                }
            };
            let thread = thread::Builder::new().name("ampoule-tokens".to_owned());
            thread.spawn(follow).map_err(|error| SigningError::Io {
                doing: "start a thread that follows the keys of issuers of tokens".to_owned(),
                source: Arc::new(error),
            })?;
        }
        Ok(Self {
            issuers,
            longest,
            _end: end,
        })
    }

    /// Accepts a token and returns its principal, or refuses it.
    ///
    /// # Errors
    ///
    /// [`Reason::Token`].
    pub fn check(&self, token: &[u8], now: Timestamp) -> Result<Principal, Denial> {
        self.checked(token, now)
            .map_err(|fault| Reason::Token(fault).into())
    }

    fn checked(&self, token: &[u8], now: Timestamp) -> Result<Principal, TokenFault> {
        let token = Compact::of(token)?;
        let header = Header::read(&token.header)?;
        let claims = Claims::read(&token.claims)?;
        // Nothing is believed by this but which keys have to fit.
        let named = claims.issuer()?;
        let issuer = self.issuers.iter().find(|issuer| issuer.name() == named);
        let issuer = issuer.ok_or(TokenFault::Issuer)?;
        issuer.check(&token, &header, &claims, now, self.longest)
    }

    /// Returns the reason why the keys in force of one of the issuers are not those of its file, or are none, if there is
    /// one.
    #[must_use]
    pub fn fault(&self) -> Option<Error> {
        let mut followed = self.issuers.iter().filter_map(TokenIssuer::followed);
        followed.find_map(super::followed_keys::FollowedKeys::fault)
    }
}

fn look(issuers: &[TokenIssuer]) {
    for issuer in issuers {
        if let Some(keys) = issuer.followed() {
            keys.look(issuer.name());
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("issuers", &self.issuers)
            .field("longest", &self.longest)
            .finish_non_exhaustive()
    }
}
