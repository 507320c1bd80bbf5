//! Limits on what callers take: requests, tokens and fuel in a time, and requests at one time.
//!
//! A caller with a credential is limited as a key, as a part of its tenant, and by the route that it asks for. A caller
//! without one is limited by its address. A request must fit into all of these limits, and one that is refused takes
//! nothing of any.
//!
//! A request whose credential is not accepted counts for its address, and nobody with a good one pays for it, from
//! whatever address they come.
//!
//! The tokens and the fuel of a request are known only at its end. Its beginning takes what requests of this caller have
//! used on average, and [`Charge::settle`] puts the real amount in its place. A caller that used more than it had is in
//! debt and waits until that is paid off, so the rate holds over time.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ampoule_signing::Fuel;

use crate::address::ClientAddress;
use crate::concurrency::{Place, Places};
use crate::denial::{Denial, LimitScope, LimitUnit, Reason};
use crate::gcra::{Pace, Ticks, duration, ticks};
use crate::key_name::TenantName;
use crate::principal::{LimitId, Principal};
use crate::rates::{Rate, Rates};
use crate::table::{Cells, Table};

/// Holders with a credential that have cells at one time: as many as a key directory has keys, their tenants, and those
/// for each route.
const MAX_MEMBERS: usize = 262_144;
/// Addresses that have cells at one time, by default.
const DEFAULT_ADDRESSES: usize = 65_536;
/// Credentials of one address that may be refused in a minute, by default. A person mistypes a key a few times, and a
/// client that tries again and again with an old key is told to wait.
const FAILURES: NonZeroU64 = NonZeroU64::new(10).unwrap();
const FAILURES_IN: Duration = Duration::from_secs(60);

/// Limits that an operator sets.
///
/// Later versions may have more fields: write the rest as `..LimiterSettings::default()`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimiterSettings {
    /// Limits of each key and of each token's subject, where the credential does not name its own.
    pub key: Rates,
    /// Limits of each tenant, over all of its keys.
    pub tenant: Rates,
    /// Limits of each address, for callers without a credential, also where none is asked for.
    pub address: Rates,
    /// Credentials of one address that may be refused; 10 a minute by default.
    pub failures: Rate,
    /// Limits of routes, for each tenant by itself: no tenant uses up another's. [`RouteId`] is a place in this list.
    pub routes: Vec<Rates>,
    /// Number of addresses that have limits of their own at one time; 65,536 by default. More share theirs.
    pub addresses: usize,
}

impl Default for LimiterSettings {
    fn default() -> Self {
        Self {
            key: Rates::default(),
            tenant: Rates::default(),
            address: Rates::default(),
            failures: Rate::of(FAILURES, FAILURES_IN),
            routes: Vec::new(),
            addresses: DEFAULT_ADDRESSES,
        }
    }
}

/// A route that has limits: its place in [`LimiterSettings::routes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteId(pub usize);

/// A request as limits see it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Caller.
    pub who: &'a Principal,
    /// Address of the caller.
    pub address: ClientAddress,
    /// Route, if it has limits.
    pub route: Option<RouteId>,
}

/// Limits of all callers. Clones share their state.
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

struct Inner {
    settings: LimiterSettings,
    began: Instant,
    members: Table<Holder>,
    addresses: Table<Holder>,
    places: Places<Holder>,
}

/// Holder of one set of limits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Key(LimitId),
    Tenant(TenantName),
    Address(ClientAddress),
    /// A route, for one of the above.
    Route(RouteId, Box<Self>),
    /// Refused credentials of an address.
    Failures(ClientAddress),
}

/// One set of limits of a request.
struct Level {
    scope: LimitScope,
    holder: Holder,
    rates: Rates,
}

/// Speeds by which the cells of one holder are paid off.
#[derive(Clone, Copy)]
struct Paces {
    requests: Option<Pace>,
    tokens: Option<Pace>,
    fuel: Option<Pace>,
}

/// Amounts that a request took of the cells of one holder.
struct Taken {
    holder: Holder,
    paces: Paces,
    requests: Ticks,
    tokens: Ticks,
    fuel: Ticks,
}

/// A request that was let in. Dropping it gives back its place among the requests at one time, and keeps what was taken
/// in advance.
#[must_use]
pub struct Charge {
    limiter: Limiter,
    taken: Vec<Taken>,
    _places: Vec<Place<Holder>>,
}

/// Standing of one limit, for headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Holder of the limit.
    pub scope: LimitScope,
    /// Amount in [`Window::period`].
    pub limit: u64,
    /// Time of the rate.
    pub period: Duration,
    /// Amount that can be taken now.
    pub remaining: u64,
    /// Time after which everything that was taken is paid off.
    pub reset: Duration,
}

/// Standing of a caller, by the tightest of its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Requests; `None` where nothing limits them.
    pub requests: Option<Window>,
    /// Tokens; `None` where nothing limits them.
    pub tokens: Option<Window>,
}

impl Limiter {
    /// Makes a limiter. Nobody has taken anything yet.
    #[must_use]
    pub fn new(settings: LimiterSettings) -> Self {
        Self(Arc::new(Inner {
            began: Instant::now(),
            members: Table::new(MAX_MEMBERS),
            addresses: Table::new(settings.addresses),
            places: Places::new(),
            settings,
        }))
    }

    /// Lets a request in, or refuses it and takes nothing.
    ///
    /// # Errors
    ///
    /// [`Reason::Concurrent`], and [`Reason::Rate`] with the time to wait.
    pub fn admit(&self, asked: &Asked<'_>, now: Instant) -> Result<Charge, Denial> {
        let now = self.0.ticks(now);
        let levels = self.0.levels(asked);
        // Places first: they are given back by themselves where a later limit refuses.
        let mut places = Vec::new();
        for level in &levels {
            let Some(most) = level.rates.concurrent else {
                continue;
            };
            let place = self.0.places.take(&level.holder, most.get());
            places.push(place.ok_or(Reason::Concurrent(level.scope))?);
        }
        let mut taken = Vec::new();
        for level in levels {
            match self.0.take(&level, now) {
                Ok(Some(amounts)) => taken.push(amounts),
                Ok(None) => {}
                Err((unit, wait)) => {
                    for amounts in taken {
                        self.0.give_back(&amounts, now);
                    }
                    let reason = Reason::Rate(level.scope, unit);
                    return Err(Denial::until(reason, duration(wait)));
                }
            }
        }
        Ok(Charge {
            limiter: self.clone(),
            taken,
            _places: places,
        })
    }

    /// Counts a request that is refused, or that asks for what there is not, for the address of a caller who has no
    /// credential that was accepted.
    ///
    /// # Errors
    ///
    /// [`Reason::Rate`] with the time to wait, where the address has used up its requests.
    pub fn turn_away(&self, address: ClientAddress, now: Instant) -> Result<(), Denial> {
        let rates = Rates {
            requests: self.0.settings.address.requests,
            burst: self.0.settings.address.burst,
            ..Rates::default()
        };
        let level = Level {
            scope: LimitScope::Address,
            holder: Holder::Address(address),
            rates,
        };
        match self.0.take(&level, self.0.ticks(now)) {
            Ok(_) => Ok(()),
            Err((unit, wait)) => {
                let reason = Reason::Rate(level.scope, unit);
                Err(Denial::until(reason, duration(wait)))
            }
        }
    }

    /// Counts a refused credential of an address. Callers whose credential is accepted pay nothing, from whatever
    /// address they come.
    ///
    /// # Errors
    ///
    /// [`Reason::Failures`] with the time to wait, where there were too many.
    pub fn fail(&self, address: ClientAddress, now: Instant) -> Result<(), Denial> {
        let now = self.0.ticks(now);
        let rate = self.0.settings.failures;
        let pace = Pace::new(rate, rate.amount());
        let holder = Holder::Failures(address);
        let taken = self
            .0
            .table(&holder)
            .with(&holder, now, |cells| cells.requests.take(pace, 1, now));
        match taken {
            Ok(_) => Ok(()),
            Err(wait) => Err(Denial::until(Reason::Failures, duration(wait))),
        }
    }

    /// Returns the standing of a caller. It tells nothing of callers outside of the caller's own tenant.
    #[must_use]
    pub fn standing(&self, asked: &Asked<'_>, now: Instant) -> Standing {
        let now = self.0.ticks(now);
        let mut standing = Standing::default();
        for level in self.0.levels(asked) {
            let cells = self.0.table(&level.holder).look(&level.holder);
            let paces = Paces::of(&level.rates);
            let window = |rate: Option<Rate>, pace: Option<Pace>, cell: crate::gcra::Cell| {
                let (rate, pace) = rate.zip(pace)?;
                Some(Window {
                    scope: level.scope,
                    limit: rate.amount(),
                    period: rate.period(),
                    remaining: cell.left(pace, now),
                    reset: cell.until_paid_off(now),
                })
            };
            let requests = window(level.rates.requests, paces.requests, cells.requests);
            let tokens = window(level.rates.tokens, paces.tokens, cells.tokens.cell);
            standing.requests = tighter(standing.requests, requests);
            standing.tokens = tighter(standing.tokens, tokens);
        }
        standing
    }

    /// Returns the number of addresses that have limits of their own now.
    #[must_use]
    pub fn addresses(&self) -> usize {
        self.0.addresses.len()
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

impl Charge {
    /// Puts what a request used in the place of what it was expected to use.
    pub fn settle(self, tokens: u64, fuel: Fuel, now: Instant) {
        self.each(now, |taken, cells, now| {
            if let Some(pace) = taken.paces.tokens {
                cells.tokens.settle(pace, taken.tokens, tokens, now);
            }
            if let Some(pace) = taken.paces.fuel {
                cells.fuel.settle(pace, taken.fuel, fuel.get(), now);
            }
        });
    }

    /// Charges a request that was ended before it told all that it used. It pays what is known, and at least what it was
    /// expected to use: otherwise whoever leaves early would pay nothing.
    pub fn settle_at_least(self, tokens: u64, fuel: Fuel, now: Instant) {
        self.each(now, |taken, cells, now| {
            if let Some(pace) = taken.paces.tokens {
                let cell = &mut cells.tokens;
                cell.settle_at_least(pace, taken.tokens, tokens, now);
            }
            if let Some(pace) = taken.paces.fuel {
                let cell = &mut cells.fuel;
                cell.settle_at_least(pace, taken.fuel, fuel.get(), now);
            }
        });
    }

    fn each(&self, now: Instant, act: impl Fn(&Taken, &mut Cells, Ticks)) {
        let inner = &self.limiter.0;
        let now = inner.ticks(now);
        for taken in &self.taken {
            let table = inner.table(&taken.holder);
            table.with(&taken.holder, now, |cells| act(taken, cells, now));
        }
    }
}

impl std::fmt::Debug for Charge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Charge")
    }
}

impl Inner {
    fn ticks(&self, now: Instant) -> Ticks {
        ticks(now.saturating_duration_since(self.began))
    }

    /// Tables are apart, so that strangers without a credential take no room of those with one.
    fn table(&self, holder: &Holder) -> &Table<Holder> {
        if holder.is_address() {
            &self.addresses
        } else {
            &self.members
        }
    }

    /// Lists the limits of a request, without those that limit nothing.
    fn levels(&self, asked: &Asked<'_>) -> Vec<Level> {
        let settings = &self.settings;
        let mut levels = Vec::new();
        let mut add = |scope, holder, rates: Rates| {
            if !rates.is_empty() {
                levels.push(Level {
                    scope,
                    holder,
                    rates,
                });
            }
        };
        let holder = match asked.who.limit_id() {
            Some(id) => {
                let rates = asked.who.rates().or(settings.key);
                add(LimitScope::Key, Holder::Key(id), rates);
                let tenant = asked.who.tenant();
                if let Some(tenant) = tenant {
                    let holder = Holder::Tenant(tenant.clone());
                    add(LimitScope::Tenant, holder, settings.tenant);
                }
                tenant.map_or(Holder::Key(id), |tenant| Holder::Tenant(tenant.clone()))
            }
            None => {
                let holder = Holder::Address(asked.address);
                add(LimitScope::Address, holder.clone(), settings.address);
                holder
            }
        };
        let of_route = asked.route.and_then(|route| {
            let rates = settings.routes.get(route.0)?;
            Some((route, *rates))
        });
        if let Some((route, rates)) = of_route {
            let holder = Holder::Route(route, Box::new(holder));
            add(LimitScope::Route, holder, rates);
        }
        levels
    }

    /// Takes what a request needs of one level, or nothing.
    fn take(&self, level: &Level, now: Ticks) -> Result<Option<Taken>, (LimitUnit, Ticks)> {
        let paces = Paces::of(&level.rates);
        if paces.are_none() {
            return Ok(None);
        }
        let table = self.table(&level.holder);
        let (requests, tokens, fuel) = table.with(&level.holder, now, |cells| {
            let before = *cells;
            let taken = paces.take(cells, now);
            if taken.is_err() {
                *cells = before;
            }
            taken
        })?;
        Ok(Some(Taken {
            holder: level.holder.clone(),
            paces,
            requests,
            tokens,
            fuel,
        }))
    }

    fn give_back(&self, taken: &Taken, now: Ticks) {
        self.table(&taken.holder).with(&taken.holder, now, |cells| {
            cells.requests.give_back(taken.requests);
            cells.tokens.cell.give_back(taken.tokens);
            cells.fuel.cell.give_back(taken.fuel);
        });
    }
}

impl Holder {
    fn is_address(&self) -> bool {
        match self {
            Self::Key(_) | Self::Tenant(_) => false,
            Self::Address(_) | Self::Failures(_) => true,
            Self::Route(_, of) => of.is_address(),
        }
    }
}

impl Paces {
    fn of(rates: &Rates) -> Self {
        let whole = |rate: Rate| Pace::new(rate, rate.amount());
        let burst = rates.burst.map(|burst| NonZeroU64::from(burst).get());
        Self {
            requests: rates
                .requests
                .map(|rate| Pace::new(rate, burst.unwrap_or(rate.amount()))),
            tokens: rates.tokens.map(whole),
            fuel: rates.fuel.map(whole),
        }
    }

    fn are_none(self) -> bool {
        self.requests.is_none() && self.tokens.is_none() && self.fuel.is_none()
    }

    fn take(
        self,
        cells: &mut Cells,
        now: Ticks,
    ) -> Result<(Ticks, Ticks, Ticks), (LimitUnit, Ticks)> {
        let of = |unit| move |wait| (unit, wait);
        let requests = self.requests.map_or(Ok(0), |pace| {
            let taken = cells.requests.take(pace, 1, now);
            taken.map_err(of(LimitUnit::Requests))
        })?;
        let tokens = self.tokens.map_or(Ok(0), |pace| {
            let taken = cells.tokens.take(pace, now);
            taken.map_err(of(LimitUnit::Tokens))
        })?;
        let fuel = self.fuel.map_or(Ok(0), |pace| {
            let taken = cells.fuel.take(pace, now);
            taken.map_err(of(LimitUnit::Fuel))
        })?;
        Ok((requests, tokens, fuel))
    }
}

/// Returns the window of which less is left.
fn tighter(one: Option<Window>, two: Option<Window>) -> Option<Window> {
    match (one, two) {
        (Some(one), Some(two)) => {
            Some(if (two.remaining, one.reset) < (one.remaining, two.reset) {
                two
            } else {
                one
            })
        }
        (one, two) => one.or(two),
    }
}
