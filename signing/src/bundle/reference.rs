//! A caller's name for a model: by publisher and name, by version, by the digest of its manifest, or by all of them.

use std::fmt;
use std::str::FromStr;

use semver::Version;

use crate::values::digest::Sha256Digest;
use ampoule_units::ParseError;

use crate::bundle::manifest::Manifest;
use crate::bundle::model_pattern::ModelPattern;
use crate::values::error::{Error, Result};
use crate::values::trust_error::TrustError;
use ampoule_units::text;

/// A model, as a caller names it. Its text may be:
///
/// | text | fits |
/// | --- | --- |
/// | `acme/minilm` | any version of it |
/// | `acme/minilm@1`, `acme/minilm@1.2` | 1.x.y, 1.2.x; never a pre-release |
/// | `acme/minilm@1.2.0`, `acme/minilm@2.0.0-rc.1` | that version, letter by letter |
/// | `sha256:4f3c…` | the manifest with this digest, and so these very files |
/// | `acme/minilm@sha256:4f3c…` | the same, if it is also of this name |
///
/// The reference is compared with the signed manifest after the signatures were verified. It narrows what is trusted
/// and never widens it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ModelReference {
    model: Option<(String, String)>,
    version: Option<VersionReference>,
    digest: Option<Sha256Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum VersionReference {
    Exact(Version),
    /// Any release of this major version, and of this minor version if there is one.
    Series(u64, Option<u64>),
}

impl VersionReference {
    fn fits(&self, version: &Version) -> bool {
        match self {
            Self::Exact(exact) => version == exact,
            Self::Series(major, minor) => {
                version.pre.is_empty()
                    && version.major == *major
                    && minor.is_none_or(|minor| version.minor == minor)
            }
        }
    }
}

impl ModelReference {
    /// Refers to any version of the manifest's model.
    #[must_use]
    pub fn any_version_of(manifest: &Manifest) -> Self {
        Self {
            model: Some((manifest.publisher().to_owned(), manifest.name().to_owned())),
            version: None,
            digest: None,
        }
    }

    /// Refuses every model but the one that is meant.
    ///
    /// # Errors
    ///
    /// `trust.identity`.
    pub fn check(&self, manifest: &Manifest, digest: Sha256Digest) -> Result<()> {
        let is_named = self.model.as_ref().is_none_or(|(publisher, name)| {
            publisher == manifest.publisher() && name == manifest.name()
        });
        let is_version = self
            .version
            .as_ref()
            .is_none_or(|version| version.fits(manifest.version()));
        if is_named && is_version && self.digest.is_none_or(|own| own == digest) {
            return Ok(());
        }
        let (publisher, name) = (manifest.publisher(), manifest.name());
        let found = match self.digest {
            Some(_) => format!("{publisher}/{name}@sha256:{digest}"),
            None => format!("{publisher}/{name}@{}", manifest.version()),
        };
        Err(Error::Trust(TrustError::Identity {
            expected: self.to_string(),
            found,
        }))
    }
}

impl fmt::Display for ModelReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((publisher, name)) = &self.model {
            write!(f, "{publisher}/{name}")?;
            if self.version.is_some() || self.digest.is_some() {
                f.write_str("@")?;
            }
        }
        match &self.version {
            None => {}
            Some(VersionReference::Exact(version)) => write!(f, "{version}")?,
            Some(VersionReference::Series(major, None)) => write!(f, "{major}")?,
            Some(VersionReference::Series(major, Some(minor))) => write!(f, "{major}.{minor}")?,
        }
        match self.digest {
            Some(digest) => write!(f, "sha256:{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ModelReference {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refused = || {
            ParseError(format!(
                "expected a model such as acme/minilm, acme/minilm@1.2 or sha256:DIGEST, found {:?}",
                text::name(text)
            ))
        };
        let digest = |text: &str| text.strip_prefix("sha256:").map(str::parse).transpose();
        if let Some(digest) = digest(text)? {
            return Ok(Self {
                model: None,
                version: None,
                digest: Some(digest),
            });
        }
        let (model, rest) = match text.split_once('@') {
            Some((model, rest)) => (model, Some(rest)),
            None => (text, None),
        };
        let (publisher, name) = model.split_once('/').ok_or_else(refused)?;
        ModelPattern::new(publisher, Some(name))?;
        let digest = rest.map(digest).transpose()?.flatten();
        let version = match rest.filter(|_| digest.is_none()) {
            Some(rest) => Some(version(rest).ok_or_else(refused)?),
            None => None,
        };
        let reference = Self {
            model: Some((publisher.to_owned(), name.to_owned())),
            version,
            digest,
        };
        // One spelling: `01.2` is not `1.2`.
        if reference.to_string() == text {
            Ok(reference)
        } else {
            Err(refused())
        }
    }
}

fn version(text: &str) -> Option<VersionReference> {
    if let Ok(exact) = Version::parse(text) {
        return Some(VersionReference::Exact(exact));
    }
    let (major, minor) = match text.split_once('.') {
        Some((major, minor)) => (major, Some(minor.parse().ok()?)),
        None => (text, None),
    };
    Some(VersionReference::Series(major.parse().ok()?, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_round_trip_and_nothing_else_is_one() {
        let digest = Sha256Digest::of(b"x");
        for text in [
            "acme/minilm".to_owned(),
            "acme/minilm@0".to_owned(),
            "acme/minilm@1.2".to_owned(),
            "acme/minilm@1.2.3".to_owned(),
            "acme/minilm@1.2.3-rc.1+build".to_owned(),
            format!("sha256:{digest}"),
            format!("acme/minilm@sha256:{digest}"),
        ] {
            assert_eq!(text.parse::<ModelReference>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "acme",
            "acme/*",
            "acme/minilm@",
            "acme/minilm@*",
            "acme/minilm@01",
            "acme/minilm@1.",
            "acme/minilm@1.+2",
            "acme/minilm@1.2.3.4",
            "acme/minilm@^1.2",
            "acme/minilm@latest",
            "acme/minilm@1@2",
            "Acme/minilm",
            "minilm@1.2",
            "sha256:",
            "sha256:4f3c",
            "acme/minilm@sha256:4f3c",
            "sha512:00",
        ] {
            assert!(text.parse::<ModelReference>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_series_takes_its_releases_and_a_full_version_only_itself() {
        let fits = |reference: &str, found: &str| {
            version(reference)
                .unwrap()
                .fits(&Version::parse(found).unwrap())
        };
        for (reference, found) in [
            ("1", "1.0.0"),
            ("1", "1.9.9"),
            ("1.2", "1.2.0"),
            ("1.2", "1.2.9"),
            ("1.2", "1.2.9+build"),
            ("1.2.3", "1.2.3"),
            ("1.2.3-rc.1", "1.2.3-rc.1"),
        ] {
            assert!(fits(reference, found), "{reference} {found}");
        }
        for (reference, found) in [
            ("1", "2.0.0"),
            ("1", "10.0.0"),
            ("1.2", "1.20.0"),
            ("1.2", "1.3.0"),
            ("1.2", "1.2.0-rc.1"),
            ("1.2.3", "1.2.4"),
            ("1.2.3", "1.2.3-rc.1"),
            ("1.2.3", "1.2.3+build"),
        ] {
            assert!(!fits(reference, found), "{reference} {found}");
        }
    }
}
