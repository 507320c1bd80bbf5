//! Rules of routes: the permission that a caller needs.

use ampoule_access::Permission;

/// Rule of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Lets everybody in, and strangers see nothing of any model.
    Public,
    /// Lets callers in who have this permission.
    Needs(Permission),
}

impl Rule {
    /// Returns the name in the description of the routes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Needs(permission) => permission.name(),
        }
    }
}
