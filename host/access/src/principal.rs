//! Callers that are known: who asks, what they may do, and how much.

use std::fmt;
use std::sync::Arc;

use ampoule_signing::Sha256Digest;
use ampoule_units::hex;

use crate::denial::{Denial, Reason};
use crate::key_name::{KeyName, TenantName};
use crate::permission::{Permission, Role};
use crate::rates::Rates;
use crate::scope::Scope;

/// Way by which a caller is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// Anybody on this machine, where the server asks for no credential.
    Local,
    /// A caller without a credential, where such callers are let in.
    Anonymous,
    /// The holder of an API key.
    Key(KeyName),
    /// The subject of a token.
    Token(SubjectHash),
    /// The holder of a certificate that stands for an API key.
    Certificate(KeyName),
}

/// Name of a token's subject in logs and limits, from which the subject cannot be read. Text form: 16 hexadecimal
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectHash([u8; 8]);

impl SubjectHash {
    /// Names the subject of an issuer: the beginning of the SHA-256 of both, each after its length.
    #[must_use]
    pub fn of(issuer: &str, subject: &str) -> Self {
        let mut text = Vec::new();
        for part in [issuer, subject] {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part.as_bytes());
        }
        let digest = Sha256Digest::of(&text);
        let (start, _) = digest
            .as_bytes()
            .split_first_chunk()
            .unwrap_or((&[0; 8], &[]));
        Self(*start)
    }
}

impl fmt::Display for SubjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(&self.0, f)
    }
}

impl fmt::Debug for SubjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Holder of a principal's limits. A certificate shares those of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitId {
    /// A key.
    Key(KeyName),
    /// A token's subject.
    Token(SubjectHash),
}

/// A caller that is known, with all that the server decides by. Clones share their content.
#[derive(Clone, Debug)]
pub struct Principal(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    kind: PrincipalKind,
    role: Role,
    tenant: Option<TenantName>,
    scope: Scope,
    rates: Rates,
}

impl Principal {
    /// Makes the principal of a credential that was accepted.
    #[must_use]
    pub fn new(
        kind: PrincipalKind,
        role: Role,
        tenant: Option<TenantName>,
        scope: Scope,
        rates: Rates,
    ) -> Self {
        Self(Arc::new(Facts {
            kind,
            role,
            tenant,
            scope,
            rates,
        }))
    }

    /// Returns anybody on this machine, who may do everything.
    #[must_use]
    pub fn local() -> Self {
        Self::without_tenant(PrincipalKind::Local, Role::Admin)
    }

    /// Returns a caller without a credential, who may do what this role does.
    #[must_use]
    pub fn anonymous(role: Role) -> Self {
        Self::without_tenant(PrincipalKind::Anonymous, role)
    }

    fn without_tenant(kind: PrincipalKind, role: Role) -> Self {
        Self::new(kind, role, None, Scope::default(), Rates::default())
    }

    /// Returns the way by which the caller is known.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        self.0.kind
    }

    /// Returns the role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.0.role
    }

    /// Returns the tenant, if the caller belongs to one.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantName> {
        self.0.tenant.as_ref()
    }

    /// Tells whether the caller's role has a permission.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.0.role.permissions().contain(permission)
    }

    /// Refuses a caller whose role lacks a permission.
    ///
    /// # Errors
    ///
    /// [`Reason::Role`].
    pub fn demand(&self, permission: Permission) -> Result<(), Denial> {
        if self.may(permission) {
            Ok(())
        } else {
            Err(Reason::Role.into())
        }
    }

    /// Tells whether the caller may know of a model that is served under this name.
    #[must_use]
    pub fn may_see(&self, model: &str) -> bool {
        self.0.scope.has_model(model)
    }

    /// Tells whether the caller may ask for a task, by its name in WIT.
    #[must_use]
    pub fn may_do(&self, task: &str) -> bool {
        self.0.scope.has_task(task)
    }

    /// Returns the limits that the credential itself names.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.0.rates
    }

    /// Returns the holder of the limits; `None` for callers without a credential, who are limited by their address or
    /// not at all.
    #[must_use]
    pub fn limit_id(&self) -> Option<LimitId> {
        match self.0.kind {
            PrincipalKind::Local | PrincipalKind::Anonymous => None,
            PrincipalKind::Key(name) | PrincipalKind::Certificate(name) => Some(LimitId::Key(name)),
            PrincipalKind::Token(subject) => Some(LimitId::Token(subject)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subjects_name_tells_issuers_and_subjects_apart_and_holds_neither() {
        let name = SubjectHash::of("https://login.example", "ann");
        assert_eq!(name, SubjectHash::of("https://login.example", "ann"));
        for (issuer, subject) in [
            ("https://login.example", "bob"),
            ("https://login.exampl", "eann"),
            ("https://login.examplean", "n"),
            ("", "https://login.exampleann"),
        ] {
            assert_ne!(name, SubjectHash::of(issuer, subject), "{issuer} {subject}");
        }
        assert_eq!(name.to_string().len(), 16);
    }

    #[test]
    fn a_local_caller_may_do_everything_and_an_anonymous_one_what_its_role_does() {
        for permission in Permission::ALL {
            Principal::local().demand(permission).unwrap();
        }
        let anonymous = Principal::anonymous(Role::Infer);
        anonymous.demand(Permission::Infer).unwrap();
        let refused = anonymous.demand(Permission::Metrics).unwrap_err();
        assert_eq!(refused.reason, Reason::Role);
        assert!(anonymous.limit_id().is_none());
    }
}
