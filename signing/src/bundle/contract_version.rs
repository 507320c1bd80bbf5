//! Versions of the contract between host and guest, as manifests spell them.

use std::fmt;
use std::str::FromStr;

use ampoule_units::{ParseError, text};
use semver::Version;
use serde::{Serialize, Serializer};

/// The package of the contract, without a version.
const PACKAGE: &str = "ampoule:model";
/// The longest version, in bytes.
const MAX_VERSION_BYTES: usize = 128;

/// A version of the contract: `ampoule:model@0.1.0`. Reading one says nothing about which versions a host speaks:
/// admission decides that.
///
/// ```
/// use ampoule_signing::{CONTRACT, ContractVersion};
///
/// let contract: ContractVersion = CONTRACT.parse()?;
/// assert_eq!(contract.version().to_string(), "0.1.0");
/// assert_eq!(contract.as_str(), CONTRACT);
/// # Ok::<(), ampoule_signing::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContractVersion {
    spelling: String,
    version: Version,
}

impl ContractVersion {
    /// The version alone.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The text that stands in the manifest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.spelling
    }
}

impl FromStr for ContractVersion {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.strip_prefix(PACKAGE)
            .and_then(|rest| rest.strip_prefix('@'))
            .filter(|version| version.len() <= MAX_VERSION_BYTES)
            .and_then(|version| Version::parse(version).ok())
            .map(|version| Self {
                spelling: format!("{PACKAGE}@{version}"),
                version,
            })
            // One spelling for each version.
            .filter(|contract| contract.spelling == text)
            .ok_or_else(|| {
                ParseError(format!(
                    "expected a contract such as {PACKAGE}@0.1.0, found {:?}",
                    text::name(text)
                ))
            })
    }
}

impl fmt::Display for ContractVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelling)
    }
}

impl Serialize for ContractVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.spelling)
    }
}
