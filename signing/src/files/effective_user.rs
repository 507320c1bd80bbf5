//! The user that this process acts as, and the owners whose files it takes.

use std::fs;

/// The user that this process acts as, and the owners whose files it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    /// True if files that the system shows as this user's may be somebody else's.
    pub(crate) is_ambiguous: bool,
}

impl User {
    /// The effective one: that of the owner for a program with the set-user-id bit.
    pub(crate) fn effective() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        Self {
            uid,
            is_ambiguous: uid == overflow_uid() && !is_every_user_mapped(),
        }
    }

    /// Returns true for an owner whose files are taken: this user, and root, who may change everything anyway. Root
    /// takes nothing from others: an ordinary user must not decide on code that root runs.
    pub(crate) fn may_take_from(self, owner: u32) -> bool {
        owner == 0 || (owner == self.uid && !self.is_ambiguous)
    }
}

/// Returns the id that Linux shows in a user namespace for every owner outside of the namespace.
fn overflow_uid() -> u32 {
    const DEFAULT: u32 = 65_534;
    fs::read_to_string("/proc/sys/kernel/overflowuid")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(DEFAULT)
}

/// Returns true if no user is outside of this process's user namespace. Where the system does not tell, some may be.
fn is_every_user_mapped() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_every_user(&map))
}

/// `user_namespaces(7)`: in each line the first user inside, the first outside, and how many they are.
fn maps_every_user(map: &str) -> bool {
    let mapped: u64 = map
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok())
        .sum();
    // The highest number stands for no user.
    mapped >= u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_namespace_with_users_outside_is_told_from_one_without() {
        assert!(maps_every_user("         0          0 4294967295\n"));
        assert!(maps_every_user("0 0 65536\n65536 65536 4294901759\n"));
        for partial in [
            "",
            "0 1000 1\n",
            "0 100000 65536\n",
            "0 1000 1\n1 100000 65536\n",
        ] {
            assert!(!maps_every_user(partial), "{partial:?}");
        }
    }
}
