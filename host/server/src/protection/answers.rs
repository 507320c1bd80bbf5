//! Answers that are kept, each tenant's for that tenant alone.

use ampoule_access::{Permission, Principal, PrincipalKind};
use ampoule_answers::{Answers, TenantAnswers};

use crate::protection::settings::Protection;

/// Stands for the tenant of callers who need no credential, where they are the only ones. No tenant can have this name.
const LOCAL: &str = "(local)";

impl Protection {
    /// Keeps determined answers for the tenants that asked, and looks them up there. The answers of a tenant go with the
    /// last of its keys, and those of a model with its trust, its release or its place.
    ///
    /// Callers without a tenant have no answers kept; where nobody needs a credential, all callers are one tenant.
    #[must_use]
    pub fn with_answers(mut self, answers: Answers) -> Self {
        if let Some(keys) = &self.keys {
            let answers = answers.clone();
            keys.on_change(move |changes| {
                for tenant in &changes.tenants {
                    answers.forget_tenant(tenant.shared());
                }
            });
        }
        self.answers = Some(answers);
        self
    }

    /// Returns the cache of answers, if there is one.
    pub(crate) fn answers(&self) -> Option<&Answers> {
        self.answers.as_ref()
    }

    /// Returns the answers that are kept for a caller's tenant, for requests by this permission.
    pub(super) fn answers_of(
        &self,
        caller: &Principal,
        permission: Permission,
    ) -> Option<TenantAnswers> {
        let answers = self.answers.as_ref()?;
        let tenant = match (caller.kind(), caller.tenant()) {
            (PrincipalKind::Local, None) => LOCAL,
            (_, Some(tenant)) => tenant.shared(),
            (_, None) => return None,
        };
        answers
            .of_tenant(tenant)
            .filter(|_| permission == Permission::Infer)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ampoule_access::{Rates, Role, Scope, SubjectHash, TenantName};
    use ampoule_answers::Bounds;

    use super::*;

    #[test]
    fn answers_are_kept_for_callers_with_a_tenant_and_for_local_ones_apart() {
        let answers = Answers::in_memory(Bounds::default()).unwrap();
        let protection = Protection::off().with_answers(answers);
        let of = |caller: &Principal| protection.answers_of(caller, Permission::Infer);
        let with_tenant = |tenant: &str| {
            let kind = PrincipalKind::Token(SubjectHash::of("issuer", "subject"));
            let tenant: TenantName = tenant.parse().unwrap();
            Principal::new(
                kind,
                Role::Infer,
                Some(tenant),
                Scope::default(),
                Rates::default(),
            )
        };
        let local = of(&Principal::local()).unwrap();
        let question = local.question([1; 32]).finish();
        assert!(local.keep(&question, b"answer"));
        assert!(of(&Principal::local()).unwrap().find(&question).is_some());
        for tenant in ["local", "acme"] {
            let tenant = of(&with_tenant(tenant)).unwrap();
            assert!(tenant.find(&tenant.question([1; 32]).finish()).is_none());
        }
        assert!(of(&Principal::anonymous(Role::Infer)).is_none());
        let lists = protection.answers_of(&Principal::local(), Permission::List);
        assert!(lists.is_none());
        assert!(LOCAL.parse::<TenantName>().is_err());
    }
}
