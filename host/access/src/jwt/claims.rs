//! A token's claims (RFC 7519, section 4.1).

use std::time::Duration;

use ampoule_signing::Timestamp;

use crate::jwt::strict_json::{self, Json, Object};
use crate::token_fault::TokenFault;

/// Seconds by which the clocks of an issuer and of this machine may differ.
const LEEWAY: f64 = 30.0;
/// The largest time, 2^53: beyond it, readers of JSON round.
const MAX_TIME: f64 = 9_007_199_254_740_992.0;

/// Claims of a token. Nothing of them is believed before the signature is checked.
#[derive(Debug)]
pub(super) struct Claims(Object);

impl Claims {
    /// Reads the claims.
    ///
    /// # Errors
    ///
    /// [`TokenFault::Claims`] where they are no object in strict JSON.
    pub(super) fn read(text: &[u8]) -> Result<Self, TokenFault> {
        let object = strict_json::parse(text).and_then(Json::object);
        object.map(Self).ok_or(TokenFault::Claims)
    }

    /// Returns the issuer.
    ///
    /// # Errors
    ///
    /// [`TokenFault::Claims`] where it is missing or no text.
    pub(super) fn issuer(&self) -> Result<&str, TokenFault> {
        self.text("iss")
    }

    /// Returns the subject.
    ///
    /// # Errors
    ///
    /// [`TokenFault::Claims`] where it is missing, empty or no text.
    pub(super) fn subject(&self) -> Result<&str, TokenFault> {
        let subject = self.text("sub")?;
        (!subject.is_empty())
            .then_some(subject)
            .ok_or(TokenFault::Claims)
    }

    /// Returns any claim.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// Refuses a token that is for others.
    ///
    /// # Errors
    ///
    /// [`TokenFault::Claims`] where `aud` is missing or neither a text nor a list of texts, and [`TokenFault::Audience`].
    pub(super) fn check_audience(&self, audience: &str) -> Result<(), TokenFault> {
        let texts = self.get("aud").and_then(Json::texts);
        let texts = texts.ok_or(TokenFault::Claims)?;
        texts
            .contains(&audience)
            .then_some(())
            .ok_or(TokenFault::Audience)
    }

    /// Refuses a token that does not count now, or counts for longer than `longest`.
    ///
    /// # Errors
    ///
    /// [`TokenFault::Claims`] where `exp` or `iat` is missing or a time is no number from 0 to 2^53,
    /// [`TokenFault::Lifetime`], [`TokenFault::Expired`], [`TokenFault::Early`].
    pub(super) fn check_times(&self, now: Timestamp, longest: Duration) -> Result<(), TokenFault> {
        let (end, issued) = (self.time("exp")?, self.time("iat")?);
        let end = end.ok_or(TokenFault::Claims)?;
        let issued = issued.ok_or(TokenFault::Claims)?;
        let begin = self.time("nbf")?.unwrap_or(issued);
        let now = now.as_millisecond() as f64 / 1_000.0;
        let lifetime = end - issued;
        if lifetime <= 0.0 || lifetime > longest.as_secs_f64() {
            return Err(TokenFault::Lifetime);
        }
        if now >= end + LEEWAY {
            return Err(TokenFault::Expired);
        }
        if issued.max(begin) > now + LEEWAY {
            return Err(TokenFault::Early);
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Result<&str, TokenFault> {
        let text = self.get(name).and_then(Json::text);
        text.ok_or(TokenFault::Claims)
    }

    /// Returns a time in seconds since 1970, if the claim is there.
    fn time(&self, name: &str) -> Result<Option<f64>, TokenFault> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Number(time)) if (0.0..=MAX_TIME).contains(time) => Ok(Some(*time)),
            Some(_) => Err(TokenFault::Claims),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(exp: f64, iat: f64, nbf: Option<f64>) -> Result<(), TokenFault> {
        let nbf = nbf.map_or(String::new(), |nbf| format!(r#","nbf":{nbf:?}"#));
        let claims = format!(r#"{{"exp":{exp:?},"iat":{iat:?}{nbf}}}"#);
        let now = Timestamp::from_second(1_000_000).unwrap();
        Claims::read(claims.as_bytes())
            .unwrap()
            .check_times(now, Duration::from_secs(3_600))
    }

    #[test]
    fn a_token_counts_from_its_issue_to_its_end_and_half_a_minute_around() {
        let now = 1_000_000.0;
        for (exp, iat, nbf, expected) in [
            (now + 1.0, now, None, Ok(())),
            (now + 3_600.0, now, None, Ok(())),
            (now + 3_600.5, now, None, Err(TokenFault::Lifetime)),
            (now, now, None, Err(TokenFault::Lifetime)),
            (now - 5.0, now, None, Err(TokenFault::Lifetime)),
            (now - 29.5, now - 100.0, None, Ok(())),
            (now - 30.0, now - 100.0, None, Err(TokenFault::Expired)),
            (0.0, 0.0, None, Err(TokenFault::Lifetime)),
            (1.0, 0.0, None, Err(TokenFault::Expired)),
            (now + 100.0, now + 30.0, None, Ok(())),
            (now + 100.0, now + 30.5, None, Err(TokenFault::Early)),
            (now + 100.0, now, Some(now + 30.0), Ok(())),
            (now + 100.0, now, Some(now + 31.0), Err(TokenFault::Early)),
            (now + 100.0, now, Some(0.0), Ok(())),
            (now + 100.0, now, Some(-1.0), Err(TokenFault::Claims)),
            (1e300, now, None, Err(TokenFault::Claims)),
            (MAX_TIME, now, None, Err(TokenFault::Lifetime)),
        ] {
            assert_eq!(checked(exp, iat, nbf), expected, "{exp} {iat} {nbf:?}");
        }
    }
}
