//! Roles, and the permissions that each gives.

use std::fmt;
use std::str::FromStr;

use ampoule_units::{ParseError, text};

use crate::text_form::text_form;

/// One kind of thing that a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Asking a model.
    Infer,
    /// Listing and describing models.
    List,
    /// Reading metrics, and the details of readiness.
    Metrics,
    /// Reading the state of the audit log.
    Audit,
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    const fn of(list: &[Permission]) -> Self {
        let mut bits = 0;
        let mut rest = list;
        while let [first, others @ ..] = rest {
            bits |= first.bit();
            rest = others;
        }
        Self(bits)
    }

    /// Tells whether the set has this permission.
    #[must_use]
    pub const fn contain(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 4] = [Self::Infer, Self::List, Self::Metrics, Self::Audit];

    const fn bit(self) -> u8 {
        match self {
            Self::Infer => 1,
            Self::List => 2,
            Self::Metrics => 4,
            Self::Audit => 8,
        }
    }

    /// Returns its name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::List => "list",
            Self::Metrics => "metrics",
            Self::Audit => "audit",
        }
    }
}

/// Role of a key or a token. Text form: its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `infer`: asks models, and lists those that it may ask.
    Infer,
    /// `list`: lists models.
    List,
    /// `metrics`: reads metrics.
    Metrics,
    /// `admin`: has every permission.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Infer, Self::List, Self::Metrics, Self::Admin];

    /// Returns the permissions that the role gives: the one table of them.
    #[must_use]
    pub const fn permissions(self) -> Permissions {
        match self {
            Self::Infer => Permissions::of(&[Permission::Infer, Permission::List]),
            Self::List => Permissions::of(&[Permission::List]),
            Self::Metrics => Permissions::of(&[Permission::Metrics]),
            Self::Admin => Permissions::of(&Permission::ALL),
        }
    }

    /// Returns its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Infer => "infer",
            Self::List => "list",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = ParseError;

    fn from_str(name: &str) -> Result<Self, ParseError> {
        let role = Self::ALL.into_iter().find(|role| role.name() == name);
        role.ok_or_else(|| {
            let found = text::name(name);
            ParseError(format!(
                "expected a role, infer, list, metrics or admin, found {found:?}"
            ))
        })
    }
}

text_form!(Role);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_has_the_permissions_of_this_table_and_no_other() {
        use Permission::{Audit, Infer, List, Metrics};
        for (role, expected) in [
            (Role::Infer, &[Infer, List][..]),
            (Role::List, &[List]),
            (Role::Metrics, &[Metrics]),
            (Role::Admin, &[Infer, List, Metrics, Audit]),
        ] {
            for permission in Permission::ALL {
                let has = role.permissions().contain(permission);
                assert_eq!(has, expected.contains(&permission), "{role} {permission:?}");
            }
        }
    }

    #[test]
    fn roles_are_read_by_their_names() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        for wrong in ["", "Admin", "admin ", "root"] {
            assert!(wrong.parse::<Role>().is_err(), "{wrong:?}");
        }
    }
}
