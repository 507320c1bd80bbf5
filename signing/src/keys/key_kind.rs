//! Names the content of a file that was given for a key, and the way to make a key of it.
//!
//! Somebody who is told that a key is "damaged" looks for another copy; somebody who is told that it is one of RSA
//! makes a new one. So each kind that people hand over has its name here.

use std::borrow::Cow;

use pkcs8::der::asn1::ObjectIdentifier;

/// Description of the content that was found in place of a key. It is text of this program, never of the file.
pub(crate) type Found = Cow<'static, str>;

/// The half of a key pair that was to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Private,
    Public,
}

/// Ed25519 (RFC 8410).
pub(crate) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The name of a PEM block that is not of the kind that was looked for. A label is a stranger's text, so an
/// unknown one is not repeated.
pub(crate) fn label_kind(label: &str, half: Half) -> Found {
    let kind = match label {
        "PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
            "a private key; `ampoule-sign pubkey KEY` prints its public half"
        }
        "PUBLIC KEY" => "a public key",
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => match half {
            Half::Private => "a certificate",
            Half::Public => {
                "a certificate; take the key out of it with `openssl x509 -in FILE -noout -pubkey`"
            }
        },
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "a request for a certificate",
        "RSA PRIVATE KEY" | "RSA PUBLIC KEY" => "a key of RSA",
        "EC PRIVATE KEY" | "EC PARAMETERS" => "a key of ECDSA on another curve (`EC`)",
        "DSA PRIVATE KEY" | "DSA PARAMETERS" => "a key of DSA",
        "DH PARAMETERS" => "parameters of Diffie-Hellman",
        "OPENSSH PRIVATE KEY" => {
            "a private key in OpenSSH's own form; write it as PKCS#8 with `ssh-keygen -p -m PKCS8 -f KEY` where \
             the version of OpenSSH does that for Ed25519 (9 does not), or make a key with `ampoule-sign keygen`"
        }
        "SSH2 PUBLIC KEY" | "SSH2 ENCRYPTED PRIVATE KEY" => "a key of SSH",
        "ENCRYPTED SIGSTORE PRIVATE KEY" | "ENCRYPTED COSIGN PRIVATE KEY" => {
            "a private key of cosign (ECDSA)"
        }
        "TSS2 PRIVATE KEY" => "a key that a TPM keeps",
        _ if label.starts_with("PGP ") => "a key of OpenPGP",
        _ if label.ends_with("PRIVATE KEY") => "a private key of another kind",
        _ if label.ends_with("PUBLIC KEY") => "a public key of another kind",
        _ => "another kind of PEM block",
    };
    kind.into()
}

/// The name of a file without any PEM block.
pub(crate) fn file_kind(file: &[u8], half: Half) -> Found {
    let has = |part: &[u8]| file.windows(part.len()).any(|window| window == part);
    let kind = if file.trim_ascii().is_empty() {
        "an empty file"
    } else if file.starts_with(b"\xff\xfe") || file.starts_with(b"\xfe\xff") {
        "text in UTF-16, as PowerShell's `>` writes it; write it as UTF-8 (`Out-File -Encoding ascii`)"
    } else if is_pkcs12(file) {
        "a PKCS#12 file; take the key out of it with `openssl pkcs12 -in FILE -nocerts -out NEW`"
    } else if file.starts_with(b"\x30") && !file.is_ascii() {
        match half {
            Half::Private => {
                "a key in binary form (DER); write it as PEM with `openssl pkcs8 -topk8 -inform DER -in OLD \
                 -out NEW`"
            }
            Half::Public => {
                "a key in binary form (DER); write it as PEM with `openssl pkey -pubin -inform DER -in OLD \
                 -pubout -out NEW`"
            }
        }
    } else if file.starts_with(b"\xfe\xed\xfe\xed") {
        "a key store of Java"
    } else if has(b"-----BEGIN ") && has(b"\\n") {
        "a PEM block whose line ends were written as the two letters \\n; write them as line ends, with \
         `printf '%b'`"
    } else if has(b"-----BEGIN ") && has(b"-----END ") {
        "a PEM block that was broken out of its lines; `-----BEGIN` and `-----END` stand in lines of their own"
    } else if has(b"-----BEGIN ") {
        "a PEM block without its first or last line; copy the file again"
    } else if has(b"ssh-ed25519 ") || has(b"ssh-rsa ") || has(b"ecdsa-sha2-") || has(b"BEGIN SSH2")
    {
        "a key of SSH; Ampoule's keys are made with `ampoule-sign keygen`"
    } else if has(b"PuTTY-User-Key-File") {
        "a key of PuTTY; Ampoule's keys are made with `ampoule-sign keygen`"
    } else if file.starts_with(b"untrusted comment:") {
        "a key of minisign or signify, which verifies Ampoule's signatures and is no key for them"
    } else if has(b"AGE-SECRET-KEY-") || file.starts_with(b"age1") {
        "a key of age, which encrypts and does not sign"
    } else if file.trim_ascii_start().starts_with(b"{") {
        "JSON, perhaps a JWK"
    } else {
        "no PEM block"
    };
    kind.into()
}

/// PKCS#12 (RFC 7292): a sequence that begins with the version, which is 3. Its length takes up to four bytes.
pub(crate) fn is_pkcs12(file: &[u8]) -> bool {
    file.first() == Some(&0x30)
        && (2..=6).any(|start| file.get(start..start + 3) == Some(&[0x02, 0x01, 0x03]))
}

/// The name of the algorithm of a key in PKCS#8 or SPKI.
pub(crate) fn algorithm_kind(oid: ObjectIdentifier) -> Found {
    let text = oid.to_string();
    let kind = match &*text {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => "a key of RSA",
        "1.2.840.10045.2.1" => "a key of ECDSA on another curve (`EC`)",
        "1.2.840.10040.4.1" => "a key of DSA",
        "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" => "a key of Diffie-Hellman",
        "1.3.101.110" => "a key of X25519, which encrypts and does not sign",
        "1.3.101.111" => "a key of X448, which encrypts and does not sign",
        "1.3.101.113" => "a key of Ed448",
        "2.16.840.1.101.3.4.3.17" | "2.16.840.1.101.3.4.3.18" | "2.16.840.1.101.3.4.3.19" => {
            "a key of ML-DSA"
        }
        "2.16.840.1.101.3.4.4.1" | "2.16.840.1.101.3.4.4.2" | "2.16.840.1.101.3.4.4.3" => {
            "a key of ML-KEM, which encrypts and does not sign"
        }
        "1.2.156.10197.1.301" => "a key of SM2",
        _ if text.starts_with("2.16.840.1.101.3.4.3.") => "a key of SLH-DSA",
        _ if text.starts_with("1.2.643.") => "a key of GOST R 34.10",
        _ => return format!("a key of another algorithm ({text})").into(),
    };
    kind.into()
}
