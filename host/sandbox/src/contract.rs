//! Names in the contract: interfaces compared by name and semver track, and the tasks.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

/// The contract that this host speaks, as manifests spell it.
pub const CONTRACT: &str = "ampoule:model@0.1.0";

/// The package of the contract, without its version.
pub(crate) const PACKAGE: &str = "ampoule:model";

/// The newest version of the contract that this host has bindings for.
pub(crate) const CONTRACT_VERSION: Version = Version::new(0, 1, 0);

/// The version of WASI 0.2 that the linker offers; older 0.2 releases are served by it too.
pub const WASI_VERSION: Version = Version::new(0, 2, 12);

/// The interfaces of the base.
pub const INERT_INTERFACES: [(&str, &str); 20] = [
    ("wasi:cli", "environment"),
    ("wasi:cli", "exit"),
    ("wasi:cli", "stdin"),
    ("wasi:cli", "stdout"),
    ("wasi:cli", "stderr"),
    ("wasi:cli", "terminal-input"),
    ("wasi:cli", "terminal-output"),
    ("wasi:cli", "terminal-stdin"),
    ("wasi:cli", "terminal-stdout"),
    ("wasi:cli", "terminal-stderr"),
    ("wasi:clocks", "monotonic-clock"),
    ("wasi:clocks", "wall-clock"),
    ("wasi:filesystem", "preopens"),
    ("wasi:filesystem", "types"),
    ("wasi:io", "error"),
    ("wasi:io", "poll"),
    ("wasi:io", "streams"),
    ("wasi:random", "insecure"),
    ("wasi:random", "insecure-seed"),
    ("wasi:random", "random"),
];

/// Calls the macro `$with` with the table of all tasks. Each row is the variant of [`Task`], the interface's name in WIT,
/// and the module of its bindings and of its file in the serving half.
///
/// A task without that file does not compile.
#[macro_export]
macro_rules! for_each_task {
    ($with:ident) => {
        $with! {
            TextTokenization "text-tokenization" text_tokenization,
            TextEmbedding "text-embedding" text_embedding,
            ImageEmbedding "image-embedding" image_embedding,
            ImageClassification "image-classification" image_classification,
            TextGeneration "text-generation" text_generation,
        }
    };
}

macro_rules! define_tasks {
    ($($variant:ident $name:literal $module:ident,)*) => {
        /// A task that a model can offer: an interface of the contract.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Task {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
        }

        impl Task {
            /// Every task that this host knows.
            pub const ALL: [Self; [$($name,)*].len()] = [$(Self::$variant,)*];

            /// Returns the interface's name, as manifests and WIT spell it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

for_each_task!(define_tasks);

impl Task {
    /// Returns the task of that name, if this host knows it.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An interface as components name it: `namespace:package/interface@version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceName<'a> {
    package: &'a str,
    interface: &'a str,
    version: Option<Version>,
}

impl<'a> InterfaceName<'a> {
    /// Parses a component's import or export name. `None` for a name of anything else, such as a bare function.
    pub fn parse(name: &'a str) -> Option<Self> {
        let (path, version) = match name.split_once('@') {
            Some((path, version)) => (path, Some(Version::parse(version).ok()?)),
            None => (name, None),
        };
        let (package, interface) = path.split_once('/')?;
        (package.contains(':') && !interface.is_empty()).then_some(Self {
            package,
            interface,
            version,
        })
    }

    /// Tells whether this is the named interface on the semver track of `offered`. Linking checks its functions.
    fn is_compatible(&self, package: &str, interface: &str, offered: &Version) -> bool {
        self.package == package
            && self.interface == interface
            && self
                .version
                .as_ref()
                .is_some_and(|asked| is_same_track(asked, offered))
    }

    /// Returns the interface's name within our contract, if there are bindings for its version.
    pub fn in_contract(&self) -> Option<&'a str> {
        self.is_compatible(PACKAGE, self.interface, &CONTRACT_VERSION)
            .then_some(self.interface)
    }

    /// Tells whether it is one of the inert WASI base or of the contract's imports. Any model may import `host-kernels`;
    /// its functions refuse those that were not granted it.
    pub fn is_in_base(&self) -> bool {
        let in_contract = self.in_contract();
        matches!(
            in_contract,
            Some("types" | "assets" | "log" | "host-kernels")
        ) || INERT_INTERFACES
            .iter()
            .any(|(package, interface)| self.is_compatible(package, interface, &WASI_VERSION))
    }
}

/// Tells whether this host speaks a version of the contract: one on the semver track of its own. Linking then finds out
/// whether all functions that the model uses are there.
#[must_use]
pub fn is_spoken(version: &Version) -> bool {
    is_same_track(version, &CONTRACT_VERSION)
}

/// Compares semver tracks, as the component model's linking rules define them: the same major version, or the same
/// minor version below 1.0, or the same patch version below 0.1. Pre-releases have none.
fn is_same_track(a: &Version, b: &Version) -> bool {
    a.pre.is_empty()
        && b.pre.is_empty()
        && a.major == b.major
        && (a.major > 0 || (a.minor == b.minor && (a.minor > 0 || a.patch == b.patch)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_compared_by_name_and_semver_track() {
        for (name, base) in [
            ("wasi:cli/environment@0.2.0", true),
            ("wasi:cli/environment@0.2.12", true),
            ("wasi:cli/environment@0.2.99", true),
            ("wasi:cli/environment@0.3.0", false),
            ("wasi:cli/environment@0.2.3-rc.1", false),
            ("wasi:cli/environment", false),
            ("wasi:cli/run@0.2.0", false),
            ("wasi:sockets/tcp@0.2.0", false),
            ("ampoule:model/log@0.1.0", true),
            ("ampoule:model/log@0.2.0", false),
            ("ampoule:model/lifecycle@0.1.0", false),
            ("evil:model/log@0.1.0", false),
        ] {
            assert_eq!(
                InterfaceName::parse(name).unwrap().is_in_base(),
                base,
                "{name}"
            );
        }
    }

    #[test]
    fn the_contract_has_one_spelling_and_its_semver_track_is_spoken() {
        assert_eq!(CONTRACT, format!("{PACKAGE}@{CONTRACT_VERSION}"));
        for (version, spoken) in [
            ("0.1.0", true),
            ("0.1.7", true),
            ("0.2.0", false),
            ("1.0.0", false),
            ("0.1.0-rc.1", false),
        ] {
            assert_eq!(is_spoken(&version.parse().unwrap()), spoken, "{version}");
        }
    }

    #[test]
    fn what_is_no_interface_name_is_not_taken_for_one() {
        for name in ["run", "a/b", "wasi:cli/", "wasi:cli/x@one", ""] {
            assert_eq!(InterfaceName::parse(name), None, "{name}");
        }
    }
}
