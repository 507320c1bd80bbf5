//! Options that change a delegation, the same for `trust.toml` and for a root.

use std::num::NonZeroU32;
use std::str::FromStr;

use ampoule_signing::{Delegation, ParseError, PublicKey, Timestamp, Validity, text};
use clap::Args;

use crate::cap_options::CapOptions;

/// Changes of a delegation. Parts that are not given stay as they were.
///
/// The command that flattens it has an argument `keys`, the public keys.
#[derive(Clone, Debug, Args)]
pub struct DelegationOptions {
    /// Number of different keys that have to sign. By default the number stays as it is. A new rule starts with one,
    /// or for a single model with the number of its publisher's rule.
    #[arg(long, value_name = "N", value_parser = parse_threshold)]
    threshold: Option<NonZeroU32>,
    /// First moment at which the keys given count, such as 2027-01-01T00:00:00Z, or `none`. A key that
    /// was trusted before keeps its own unless this is given.
    #[arg(long, value_name = "TIME", requires = "keys")]
    not_before: Option<Bound>,
    /// Last moment at which the keys given count, or `none`. A key that was trusted before keeps its
    /// own unless this is given.
    #[arg(long, value_name = "TIME", requires = "keys")]
    not_after: Option<Bound>,
    /// First moment at which the rule holds, or `none`.
    #[arg(long, value_name = "TIME")]
    from: Option<Bound>,
    /// Last moment at which the rule holds, or `none`.
    #[arg(long, value_name = "TIME")]
    until: Option<Bound>,
    #[command(flatten)]
    caps: CapOptions,
}

impl DelegationOptions {
    /// Adds these keys and changes what is given.
    #[must_use]
    pub fn apply(&self, mut delegation: Delegation, keys: Vec<PublicKey>) -> Delegation {
        for key in keys {
            let before = delegation.key_validity(&key.key_id()).unwrap_or_default();
            let validity = changed(before, self.not_before, self.not_after);
            delegation = delegation.with_key_at(key, validity);
        }
        if let Some(threshold) = self.threshold {
            delegation = delegation.with_threshold(threshold);
        }
        let validity = changed(delegation.validity(), self.from, self.until);
        let caps = self.caps.apply(delegation.caps().clone());
        delegation.with_validity(validity).with_caps(caps)
    }
}

/// Reads the number of keys that have to sign.
///
/// # Errors
///
/// For another text than that of a whole number above 0.
pub fn parse_threshold(text: &str) -> Result<NonZeroU32, ParseError> {
    text.parse()
        .map_err(|_| ParseError("expected a number of keys, 1 or more".to_owned()))
}

fn changed(before: Validity, first: Option<Bound>, last: Option<Bound>) -> Validity {
    Validity {
        not_before: first.map_or(before.not_before, |bound| bound.0),
        not_after: last.map_or(before.not_after, |bound| bound.0),
    }
}

/// One end of a time span; `none` opens it.
#[derive(Clone, Copy, Debug)]
struct Bound(Option<Timestamp>);

impl FromStr for Bound {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|time| Self(Some(time))).map_err(|_| {
            ParseError(format!(
                "expected a time such as 2027-12-31T00:00:00Z or none, found {:?}",
                text::name(text)
            ))
        })
    }
}
