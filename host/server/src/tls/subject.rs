//! Subjects of certificates, as text.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::name::RdnSequence;

/// The longest subject that is looked at. Real ones have some hundred bytes.
const MAX_BYTES: usize = 1_024;

/// A certificate's subject in the form of RFC 4514, such as `CN=batch,O=Acme`: the part that is nearest to the holder
/// comes first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(String);

impl Subject {
    /// Returns a certificate's subject; `None` for one that is empty or too long.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let name = certificate.tbs_certificate().subject();
        Self::checked(name.to_string()).ok()
    }

    fn checked(text: String) -> Result<Self, String> {
        if text.is_empty() || text.len() > MAX_BYTES {
            return Err(format!("a subject of 1 to {MAX_BYTES} bytes is expected"));
        }
        Ok(Self(text))
    }
}

/// Reads a subject as RFC 4514 has it. It is written anew, so that two spellings of one subject are equal.
impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            let found = ampoule::harmless_text(text);
            format!("a subject such as CN=batch,O=Acme is expected, found `{found}`")
        };
        if text.len() > MAX_BYTES {
            return Err(refused());
        }
        let name: RdnSequence = text.parse().map_err(|_| refused())?;
        Self::checked(name.to_string()).map_err(|_| refused())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_read_as_they_are_written() {
        for text in [
            "CN=batch,O=Acme",
            "CN=a\\,b\\+c,O=Acme",
            "CN=ü",
            "C=DE,O=Acme",
        ] {
            let subject: Subject = text.parse().unwrap();
            assert_eq!(subject.to_string().parse::<Subject>().unwrap(), subject);
        }
        let order = ["CN=batch,O=Acme", "O=Acme,CN=batch"].map(|text| text.parse::<Subject>());
        assert_ne!(order[0], order[1]);
        for wrong in [
            "",
            "batch",
            "CN",
            "=a",
            "NOSUCHTHING=a",
            &"CN=a,".repeat(300),
        ] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong:?}");
        }
    }
}
