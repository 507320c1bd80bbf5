//! Rules for owners and modes of files that a decision rests on.
//!
//! Whoever owns a file may change it, whatever its mode says. Whoever may write to a directory may replace a file in
//! it. So a rule is held against the owner and the mode of a file and of every directory above it
//! ([`crate::files::checked_path`]).

use std::sync::atomic::AtomicU32;

use cap_std::fs::{Metadata, MetadataExt as _};

use crate::files::effective_user::User;
use crate::files::permission_policy::PermissionPolicy;
use crate::values::error::Result;
use crate::values::trust_error::TrustError;

/// Power over a file that others may have, from the loosest rule to the strictest. Under each rule, the file must
/// belong to the user that this process acts as, or to root.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Not writable by everybody: bundles, which are often installed for a group, and public keys.
    NotWorldWritable,
    /// Writable by its owner only: the trust store, where one write makes a stranger trusted.
    OwnerWrites,
    /// Readable by its owner only: private keys and passwords. To read the directory of one is
    /// harmless.
    OwnerReads,
}

/// The rule for one bundle, key or directory, for the directories above it and the files in it.
#[derive(Debug)]
pub(crate) struct Guard {
    rule: Rule,
    permissions: PermissionPolicy,
    user: User,
    problems: AtomicU32,
}

impl Guard {
    pub(crate) fn new(rule: Rule, permissions: PermissionPolicy) -> Self {
        Self {
            rule,
            permissions,
            user: User::effective(),
            problems: AtomicU32::new(0),
        }
    }

    /// Refuses a file or a directory that the rule does not allow, or warns of it. `what` names it.
    ///
    /// # Errors
    ///
    /// `trust.owner`, `trust.permissions`.
    pub(crate) fn check(&self, found: &Metadata, what: impl FnOnce() -> String) -> Result<()> {
        self.judge(Found::of(found), what)
    }

    /// Checks a directory above the one that is opened. In a directory like `/tmp`, with the sticky bit, everybody
    /// may make files and change only their own, so nobody can replace the one below it.
    pub(crate) fn check_above(
        &self,
        found: &Metadata,
        what: impl FnOnce() -> String,
    ) -> Result<()> {
        const STICKY: u32 = 0o1000;
        let mut found = Found::of(found);
        if found.mode & STICKY != 0 {
            found.mode &= !0o022;
        }
        self.judge(found, what)
    }

    /// Checks the owner of a link on the way; a link's mode means nothing.
    pub(crate) fn check_link(&self, link: &Metadata, what: impl FnOnce() -> String) -> Result<()> {
        let found = Found {
            mode: 0,
            ..Found::of(link)
        };
        self.judge(found, what)
    }

    fn judge(&self, found: Found, what: impl FnOnce() -> String) -> Result<()> {
        self.rule
            .check(found, self.user, what)
            .or_else(|problem| self.permissions.judge(problem, &self.problems))
    }
}

/// Owner and mode of a file or a directory.
#[derive(Clone, Copy)]
struct Found {
    owner: u32,
    mode: u32,
    is_directory: bool,
}

impl Found {
    fn of(metadata: &Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            mode: metadata.mode() & 0o7777,
            is_directory: metadata.is_dir(),
        }
    }
}

impl Rule {
    fn check(
        self,
        found: Found,
        user: User,
        what: impl FnOnce() -> String,
    ) -> Result<(), TrustError> {
        if !user.may_take_from(found.owner) {
            return Err(TrustError::Owner {
                what: what(),
                owner: found.owner,
                user: user.uid,
            });
        }
        let (forbidden, who, fix) = match self {
            Self::NotWorldWritable => (0o002, "everybody change it", "o-w"),
            Self::OwnerReads if !found.is_directory => {
                (0o077, "others than its owner use it", "go-rwx")
            }
            Self::OwnerWrites | Self::OwnerReads => {
                (0o022, "others than its owner change it", "go-w")
            }
        };
        if found.mode & forbidden == 0 {
            return Ok(());
        }
        Err(TrustError::Permissions {
            what: what(),
            mode: found.mode,
            who,
            fix,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: u32 = 0;
    const SERVICE: u32 = 1001;
    const STRANGER: u32 = 1002;

    fn code(rule: Rule, owner: u32, mode: u32, is_directory: bool, user: User) -> &'static str {
        let found = Found {
            owner,
            mode,
            is_directory,
        };
        let checked = rule.check(found, user, || "it".to_owned());
        checked.map_or_else(|problem| problem.code(), |()| "taken")
    }

    fn acting_as(uid: u32) -> User {
        User {
            uid,
            is_ambiguous: false,
        }
    }

    #[test]
    fn only_what_belongs_to_root_or_to_the_user_is_taken_whoever_that_is() {
        for rule in [Rule::NotWorldWritable, Rule::OwnerWrites, Rule::OwnerReads] {
            for is_directory in [true, false] {
                let owned_by =
                    |owner, user| code(rule, owner, 0o700, is_directory, acting_as(user));
                assert_eq!(owned_by(ROOT, ROOT), "taken");
                assert_eq!(owned_by(ROOT, SERVICE), "taken");
                assert_eq!(owned_by(SERVICE, SERVICE), "taken");
                assert_eq!(owned_by(STRANGER, SERVICE), "trust.owner");
                assert_eq!(owned_by(SERVICE, ROOT), "trust.owner");
            }
        }
    }

    #[test]
    fn each_rule_allows_the_modes_that_it_names() {
        let file = |rule, mode| code(rule, SERVICE, mode, false, acting_as(SERVICE));
        let directory = |rule, mode| code(rule, SERVICE, mode, true, acting_as(SERVICE));
        for bits in 0..0o1000 {
            let expect = |forbidden: u32| {
                if bits & forbidden == 0 {
                    "taken"
                } else {
                    "trust.permissions"
                }
            };
            assert_eq!(
                file(Rule::NotWorldWritable, bits),
                expect(0o002),
                "{bits:o}"
            );
            assert_eq!(file(Rule::OwnerWrites, bits), expect(0o022), "{bits:o}");
            assert_eq!(file(Rule::OwnerReads, bits), expect(0o077), "{bits:o}");
            assert_eq!(directory(Rule::OwnerReads, bits), expect(0o022), "{bits:o}");
        }
    }

    #[test]
    fn an_owner_is_named_by_number_and_what_to_do_is_said() {
        let found = Found {
            owner: STRANGER,
            mode: 0o600,
            is_directory: false,
        };
        let message = |user| {
            let checked = Rule::OwnerWrites.check(found, acting_as(user), || "it".to_owned());
            checked.unwrap_err().to_string()
        };
        assert!(message(ROOT).starts_with("it belongs to uid 1002, and only files of uid 0"));
        assert!(message(SERVICE).contains("files of uid 1001 or uid 0"));
        assert!(message(SERVICE).ends_with("move it or `chown` it"));
    }

    #[test]
    fn a_user_who_may_be_anybody_owns_nothing() {
        let nobody = User {
            uid: 65_534,
            is_ambiguous: true,
        };
        assert_eq!(
            code(Rule::OwnerWrites, 65_534, 0o600, false, nobody),
            "trust.owner"
        );
        assert_eq!(code(Rule::OwnerWrites, ROOT, 0o600, false, nobody), "taken");
        let nobody = acting_as(65_534);
        assert_eq!(
            code(Rule::OwnerWrites, 65_534, 0o600, false, nobody),
            "taken"
        );
    }
}
