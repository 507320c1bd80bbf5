//! Address and route by which limits count a request.

use ampoule_access::{Asked, ClientAddress, Principal, RouteId};

/// Address and route by which a request counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) address: ClientAddress,
    /// Route, if it has limits of its own.
    pub(crate) route: Option<RouteId>,
}

impl Counted {
    /// Returns the request of a caller, as limits see it.
    pub(crate) fn asked(self, who: &Principal) -> Asked<'_> {
        Asked {
            who,
            address: self.address,
            route: self.route,
        }
    }
}
