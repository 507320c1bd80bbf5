//! Names in the contract: interfaces compared by name and semver track, and the tasks.

use std::fmt;

use semver::Version;

/// The contract that this host speaks, as manifests spell it.
pub const CONTRACT: &str = ampoule_signing::CONTRACT;

/// The package of the contract, without its version.
const PACKAGE: &str = "ampoule:model";

/// The newest version of the contract that this host has bindings for.
const CONTRACT_VERSION: Version = Version::new(0, 1, 0);

/// Something that a model can do: a task interface of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Task {
    /// `text-tokenization`.
    TextTokenization,
    /// `text-embedding`.
    TextEmbedding,
    /// `image-embedding`.
    ImageEmbedding,
    /// `image-classification`.
    ImageClassification,
    /// `text-generation`.
    TextGeneration,
}

impl Task {
    /// Every task that this host knows.
    pub const ALL: [Self; 5] = [
        Self::TextTokenization,
        Self::TextEmbedding,
        Self::ImageEmbedding,
        Self::ImageClassification,
        Self::TextGeneration,
    ];

    /// The interface's name, as manifests and WIT spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TextTokenization => "text-tokenization",
            Self::TextEmbedding => "text-embedding",
            Self::ImageEmbedding => "image-embedding",
            Self::ImageClassification => "image-classification",
            Self::TextGeneration => "text-generation",
        }
    }

    /// The task of that name, if this host knows it.
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
pub(crate) struct InterfaceName<'a> {
    package: &'a str,
    interface: &'a str,
    version: Option<Version>,
}

impl<'a> InterfaceName<'a> {
    /// Reads a component's import or export name. `None` when it is no interface name, such as a
    /// bare function.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
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

    /// Whether this is the named interface on the semver track of `offered`. Linking then finds out
    /// whether all of its functions are there.
    fn is_compatible(&self, package: &str, interface: &str, offered: &Version) -> bool {
        self.package == package
            && self.interface == interface
            && self
                .version
                .as_ref()
                .is_some_and(|asked| is_same_track(asked, offered))
    }

    /// The interface of our contract that this names, when the version is one we have bindings
    /// for.
    pub(crate) fn in_contract(&self) -> Option<&'a str> {
        self.is_compatible(PACKAGE, self.interface, &CONTRACT_VERSION)
            .then_some(self.interface)
    }

    /// Whether the inert WASI base, or the contract's own imports, hold it. To import `host-kernels` is
    /// nobody's privilege: who is not granted it is told so by its functions.
    pub(crate) fn is_in_base(&self) -> bool {
        let in_contract = self.in_contract();
        matches!(
            in_contract,
            Some("types" | "assets" | "log" | "host-kernels")
        ) || crate::wasi::INERT_INTERFACES
            .iter()
            .any(|(package, interface)| {
                self.is_compatible(package, interface, &crate::wasi::WASI_VERSION)
            })
    }
}

/// Semver tracks, as the component model's linking rules define them: the same major version, or
/// the same minor version below 1.0, or the same patch version below 0.1. Pre-releases have none.
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
    fn what_is_no_interface_name_is_not_taken_for_one() {
        for name in ["run", "a/b", "wasi:cli/", "wasi:cli/x@one", ""] {
            assert_eq!(InterfaceName::parse(name), None, "{name}");
        }
    }
}
