//! Limits of callers: the table `[rate-limits]` of the configuration file. No option sets them.

use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};

use ampoule_access::{LimiterSettings, Rate, Rates};
use ampoule_server::Protection;
use ampoule_signing::text;
use serde::Deserialize;

use crate::config_place::Place;
use crate::config_value::{from_text, tables};
use crate::error::Error;

/// The name of the table.
const TABLE: &str = "rate-limits";

/// Each limit that is given.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RateLimitOptions {
    /// Limits of each key that names none of its own.
    key: Option<Rates>,
    /// Limits of each tenant, over all of its keys.
    tenant: Option<Rates>,
    /// Limits of each address, for callers without a credential.
    address: Option<Rates>,
    /// Credentials of one address that may be refused.
    failures: Option<Rate>,
    /// Addresses that have limits of their own at one time.
    #[serde(default, deserialize_with = "from_text")]
    addresses: Option<NonZeroUsize>,
    #[serde(default, rename = "route", deserialize_with = "tables")]
    routes: Vec<RouteLimits>,
}

/// Limits of a route, for each tenant by itself: a table `[[rate-limits.route]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteLimits {
    /// The route, as the router, the metrics and the access log name it.
    route: String,
    requests: Option<Rate>,
    burst: Option<NonZeroU32>,
    tokens: Option<Rate>,
    fuel: Option<Rate>,
    concurrent: Option<NonZeroU32>,
}

impl RouteLimits {
    fn rates(&self) -> Rates {
        Rates {
            requests: self.requests,
            burst: self.burst,
            tokens: self.tokens,
            fuel: self.fuel,
            concurrent: self.concurrent,
        }
    }
}

impl RateLimitOptions {
    /// Tells whether the requests of each address are limited.
    pub(crate) fn limit_addresses(&self) -> bool {
        self.address.is_some_and(|rates| rates.requests.is_some())
    }

    /// Refuses limits that contradict each other, and those of keys where there are none. `place` finds a key of the
    /// file.
    pub(crate) fn check(
        &self,
        needs_keys: bool,
        place: impl Fn(&str) -> Option<Place>,
    ) -> Result<(), Error> {
        let fault = |key: &str, message: String| {
            Err(Error::Setting(message).at(place(&format!("{TABLE}.{key}"))))
        };
        let of_callers = [
            ("key", self.key),
            ("tenant", self.tenant),
            ("address", self.address),
        ];
        for (key, rates) in of_callers {
            let Some(rates) = rates else { continue };
            if let Err(error) = rates.check() {
                return fault(key, error.to_string());
            }
            if key != "address" && !needs_keys {
                return fault(
                    key,
                    format!(
                        "callers need no API key here, so nobody has these limits; name a key directory with `keys` \
                         under `[auth]`, or limit each `address` instead of each {key}"
                    ),
                );
            }
        }
        for (index, limits) in self.routes.iter().enumerate() {
            let key = format!("route[{index}]");
            if let Err(error) = limits.rates().check() {
                return fault(&key, error.to_string());
            }
            if limits.rates().is_empty() {
                let expected =
                    "expected a limit beside `route`: `requests`, `tokens`, `fuel` or `concurrent`";
                return fault(&key, expected.to_owned());
            }
            let mut before = self.routes.iter().take(index);
            if before.any(|other| other.route == limits.route) {
                let route = text::name(&limits.route);
                return fault(
                    &format!("{key}.route"),
                    format!("the route `{route}` has limits already; write them in one table"),
                );
            }
        }
        Ok(())
    }

    /// Refuses limits of a route that is not one of these, which are those that callers need a permission for. `place`
    /// finds a key of the file.
    pub(crate) fn check_routes(
        &self,
        routes: &BTreeSet<String>,
        place: impl Fn(&str) -> Option<Place>,
    ) -> Result<(), Error> {
        let mut limits = self.routes.iter().enumerate();
        let Some((index, limits)) = limits.find(|(_, limits)| !routes.contains(&limits.route))
        else {
            return Ok(());
        };
        let known: Vec<_> = routes.iter().map(String::as_str).collect();
        let error = Error::Setting(format!(
            "expected one of the routes that are limited, found `{}`; they are {}",
            text::name(&limits.route),
            known.join(", ")
        ));
        Err(error.at(place(&format!("{TABLE}.route[{index}].route"))))
    }

    /// Adds the limits to a protection.
    pub(crate) fn limit(&self, protection: Protection) -> Protection {
        let default = LimiterSettings::default();
        let settings = LimiterSettings {
            key: self.key.unwrap_or_default(),
            tenant: self.tenant.unwrap_or_default(),
            address: self.address.unwrap_or_default(),
            failures: self.failures.unwrap_or(default.failures),
            addresses: self.addresses.map_or(default.addresses, NonZeroUsize::get),
            ..default
        };
        let routes = self.routes.iter();
        let routes = routes.map(|limits| (limits.route.clone(), limits.rates()));
        protection.with_limits(settings, routes)
    }
}
