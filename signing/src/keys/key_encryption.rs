//! Says beforehand whether an encrypted private key can be opened: by its encryption, which is named where it
//! is not supported, and by what it costs. A password that does not fit is then the only thing left to say
//! of the password.
//!
//! Supported is PBES2 (RFC 8018) with PBKDF2 or scrypt (RFC 7914) and AES. PBKDF2 with HMAC-SHA-1 is among it:
//! it is what PKCS#5 means where no function is named, and what is broken of SHA-1, collisions, does not
//! touch HMAC. Ciphers of the time before AES are not.

use pkcs8::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use pkcs8::der::{Decode as _, Reader as _, SliceReader};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf, PBES2_OID, PBKDF2_OID, SCRYPT_OID, Salt};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, der};

use crate::keys::key_kind::Found;

/// The most memory that a key file may make scrypt take (128 · N · r bytes). The file names its own
/// cost, so a hostile one could otherwise ask for all the memory there is.
const MAX_SCRYPT_BYTES: u64 = 256 << 20;
/// The most passes that a key file may make scrypt take (p), for the same reason.
const MAX_SCRYPT_P: u16 = 16;
/// The most rounds that a key file may make PBKDF2 take (OpenSSL writes such files): some seconds.
const MAX_PBKDF2_ROUNDS: u32 = 10_000_000;

/// Advice that turns the key into one that can be read.
const WRITE_ANEW: &str = "write it anew with `openssl pkcs8 -topk8 -in OLD -out NEW`";
/// OpenSSL 3 keeps the ciphers of the time before AES in a module of its own.
const WRITE_ANEW_OLD: &str =
    "write it anew with `openssl pkcs8 -topk8 -in OLD -out NEW -provider default -provider legacy`";
/// OpenSSL does not read these either.
const WRITE_ANEW_ELSEWHERE: &str =
    "write it anew with the tool that made it, under AES-256-CBC and HMAC-SHA-256";

/// Reads the head of an encrypted private key (PKCS#8, RFC 5208, section 6).
///
/// # Errors
///
/// Describes the fault of the key.
pub(crate) fn open(document: &[u8]) -> Result<EncryptedPrivateKeyInfoRef<'_>, Found> {
    check_algorithms(document)?;
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(document)
        .map_err(|_| "an encrypted key whose parameters are damaged")?;
    check_cost(&encrypted.encryption_algorithm)?;
    Ok(encrypted)
}

/// Names the unsupported part. The decoder only says that it failed.
fn check_algorithms(document: &[u8]) -> Result<(), Found> {
    let damaged = |_: der::Error| Found::from("a damaged encrypted key");
    let (scheme, _) = SliceReader::new(document)
        .and_then(|mut reader| {
            reader.sequence(|reader| {
                let scheme = AlgorithmIdentifierRef::decode(reader)?;
                Ok::<_, der::Error>((scheme, <&OctetStringRef>::decode(reader)?))
            })
        })
        .map_err(damaged)?;
    if scheme.oid != PBES2_OID {
        return Err(unsupported(pbes1_name(scheme.oid), WRITE_ANEW_OLD));
    }
    let parameters = scheme
        .parameters
        .ok_or("an encrypted key without parameters")?;
    let (derivation, cipher) = parameters
        .sequence(|reader| {
            let derivation = AlgorithmIdentifierRef::decode(reader)?;
            Ok::<_, der::Error>((derivation, AlgorithmIdentifierRef::decode(reader)?))
        })
        .map_err(damaged)?;
    if let Some((name, advice)) = cipher_name(cipher.oid) {
        return Err(unsupported(name, advice));
    }
    match (derivation.oid, derivation.parameters) {
        (SCRYPT_OID, Some(parameters)) => check_scrypt(parameters).map_err(damaged)?,
        (PBKDF2_OID, Some(parameters)) => check_pbkdf2(parameters).map_err(damaged)?,
        _ => Err(unsupported(
            "another derivation than PBKDF2 and scrypt",
            WRITE_ANEW,
        )),
    }
}

/// PBKDF2's parameters (RFC 8018, appendix A.2): a salt, rounds, perhaps a length, perhaps a function.
fn check_pbkdf2(parameters: AnyRef<'_>) -> der::Result<Result<(), Found>> {
    let (salt, function) = parameters.sequence(|reader| {
        let salt = <&OctetStringRef>::decode(reader)?;
        u32::decode(reader)?;
        Option::<u16>::decode(reader)?;
        let function = Option::<AlgorithmIdentifierRef<'_>>::decode(reader)?;
        Ok::<_, der::Error>((salt.as_bytes().len(), function))
    })?;
    if let Err(found) = check_salt(salt) {
        return Ok(Err(found));
    }
    Ok(
        match function.and_then(|function| function_name(function.oid)) {
            Some((name, advice)) => Err(unsupported(name, advice)),
            None => Ok(()),
        },
    )
}

/// scrypt's parameters (RFC 7914, section 7.1) begin with a salt.
fn check_scrypt(parameters: AnyRef<'_>) -> der::Result<Result<(), Found>> {
    parameters.sequence(|reader| {
        let salt = <&OctetStringRef>::decode(reader)?;
        reader.read_slice(reader.remaining_len())?;
        Ok(check_salt(salt.as_bytes().len()))
    })
}

/// The decoder has room for so much.
fn check_salt(bytes: usize) -> Result<(), Found> {
    if bytes <= Salt::MAX_LEN {
        return Ok(());
    }
    let found = format!(
        "an encryption with a salt of {bytes} bytes, above {}; {WRITE_ANEW}",
        Salt::MAX_LEN
    );
    Err(found.into())
}

fn unsupported(name: &str, advice: &str) -> Found {
    format!("an encryption that is not supported, {name}; {advice}").into()
}

/// Encryptions in which the derivation and the cipher have one name (RFC 8018, section 6.1; RFC 7292).
fn pbes1_name(oid: ObjectIdentifier) -> &'static str {
    match &*oid.to_string() {
        "1.2.840.113549.1.5.1" => "PKCS#5 version 1 with MD2 and DES",
        "1.2.840.113549.1.5.3" => "PKCS#5 version 1 with MD5 and DES",
        "1.2.840.113549.1.5.4" => "PKCS#5 version 1 with MD2 and RC2",
        "1.2.840.113549.1.5.6" => "PKCS#5 version 1 with MD5 and RC2",
        "1.2.840.113549.1.5.10" => "PKCS#5 version 1 with SHA-1 and DES",
        "1.2.840.113549.1.5.11" => "PKCS#5 version 1 with SHA-1 and RC2",
        "1.2.840.113549.1.12.1.1" => "PKCS#12 with RC4 of 128 bits",
        "1.2.840.113549.1.12.1.2" => "PKCS#12 with RC4 of 40 bits",
        "1.2.840.113549.1.12.1.3" => "PKCS#12 with 3DES (three keys)",
        "1.2.840.113549.1.12.1.4" => "PKCS#12 with 3DES (two keys)",
        "1.2.840.113549.1.12.1.5" => "PKCS#12 with RC2 of 128 bits",
        "1.2.840.113549.1.12.1.6" => "PKCS#12 with RC2 of 40 bits",
        _ => "another than PBES2",
    }
}

/// Returns the name of an unsupported cipher, with advice.
fn cipher_name(oid: ObjectIdentifier) -> Option<(&'static str, &'static str)> {
    let text = oid.to_string();
    Some(match &*text {
        // AES in CBC mode and in GCM, with keys of 128, 192 and 256 bits; GCM of 192 is not.
        "2.16.840.1.101.3.4.1.2"
        | "2.16.840.1.101.3.4.1.22"
        | "2.16.840.1.101.3.4.1.42"
        | "2.16.840.1.101.3.4.1.6"
        | "2.16.840.1.101.3.4.1.46" => return None,
        "1.2.840.113549.3.7" => ("3DES", WRITE_ANEW),
        "1.3.14.3.2.7" => ("DES", WRITE_ANEW_OLD),
        "1.2.840.113549.3.2" => ("RC2", WRITE_ANEW_OLD),
        "1.2.840.113549.3.4" => ("RC4", WRITE_ANEW_OLD),
        "1.2.840.113549.3.9" => ("RC5", WRITE_ANEW_OLD),
        "1.3.6.1.4.1.3029.1.2" => ("Blowfish", WRITE_ANEW_OLD),
        "1.2.840.113533.7.66.10" => ("CAST5", WRITE_ANEW_OLD),
        "1.3.6.1.4.1.188.7.1.1.2" => ("IDEA", WRITE_ANEW_OLD),
        "1.2.410.200004.1.4" => ("SEED", WRITE_ANEW_OLD),
        "1.2.156.10197.1.104.2" => ("SM4", WRITE_ANEW),
        _ if text.starts_with("1.2.392.200011.61.1.1.1.") => ("Camellia", WRITE_ANEW),
        _ if text.starts_with("1.2.410.200046.1.1.") => ("ARIA", WRITE_ANEW),
        "2.16.840.1.101.3.4.1.26" => ("AES-192 in GCM", WRITE_ANEW_ELSEWHERE),
        _ if text.starts_with("2.16.840.1.101.3.4.1.") => {
            ("AES in another mode than CBC and GCM", WRITE_ANEW)
        }
        _ => ("another cipher than AES", WRITE_ANEW),
    })
}

/// Returns the name of an unsupported function for PBKDF2, with advice.
fn function_name(oid: ObjectIdentifier) -> Option<(&'static str, &'static str)> {
    Some(match &*oid.to_string() {
        // HMAC with SHA-1, SHA-224, SHA-256, SHA-384 and SHA-512.
        "1.2.840.113549.2.7"
        | "1.2.840.113549.2.8"
        | "1.2.840.113549.2.9"
        | "1.2.840.113549.2.10"
        | "1.2.840.113549.2.11" => return None,
        "1.2.840.113549.2.6" => ("PBKDF2 with HMAC-MD5", WRITE_ANEW),
        "1.2.840.113549.2.12" => ("PBKDF2 with HMAC-SHA-512/224", WRITE_ANEW),
        "1.2.840.113549.2.13" => ("PBKDF2 with HMAC-SHA-512/256", WRITE_ANEW),
        "2.16.840.1.101.3.4.2.13"
        | "2.16.840.1.101.3.4.2.14"
        | "2.16.840.1.101.3.4.2.15"
        | "2.16.840.1.101.3.4.2.16" => ("PBKDF2 with HMAC-SHA-3", WRITE_ANEW_ELSEWHERE),
        _ => (
            "PBKDF2 with another function than HMAC-SHA-1 and HMAC-SHA-2",
            WRITE_ANEW_ELSEWHERE,
        ),
    })
}

/// Refuses a key file whose decryption would take too much time or memory.
fn check_cost(scheme: &EncryptionScheme) -> Result<(), Found> {
    let Some(parameters) = scheme.pbes2() else {
        return Err(unsupported("PKCS#5 version 1", WRITE_ANEW_OLD));
    };
    match &parameters.kdf {
        Kdf::Scrypt(scrypt) => {
            if scrypt.cost_parameter <= 1 || !scrypt.cost_parameter.is_power_of_two() {
                return Err("an encryption with scrypt whose cost is no power of two".into());
            }
            let memory = scrypt
                .cost_parameter
                .checked_mul(128)
                .and_then(|bytes| bytes.checked_mul(u64::from(scrypt.block_size)));
            if memory.is_none_or(|bytes| bytes > MAX_SCRYPT_BYTES)
                || scrypt.parallelization > MAX_SCRYPT_P
            {
                return Err(format!(
                    "an encryption with scrypt whose cost is out of bounds: at most {} MiB are given to it, \
                     and {MAX_SCRYPT_P} passes; {WRITE_ANEW}",
                    MAX_SCRYPT_BYTES >> 20
                )
                .into());
            }
            Ok(())
        }
        Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count <= MAX_PBKDF2_ROUNDS => Ok(()),
        Kdf::Pbkdf2(_) => Err(format!(
            "an encryption with PBKDF2 of more than {MAX_PBKDF2_ROUNDS} rounds; {WRITE_ANEW}"
        )
        .into()),
        _ => Err(unsupported(
            "another derivation than PBKDF2 and scrypt",
            WRITE_ANEW,
        )),
    }
}

#[cfg(test)]
mod tests {
    use pkcs8::pkcs5::pbes2::{EncryptionScheme as Cipher, Parameters, Pbkdf2Params, ScryptParams};

    use super::*;

    fn scheme(kdf: Kdf) -> EncryptionScheme {
        let encryption = Cipher::Aes256Cbc { iv: [0; 16] };
        EncryptionScheme::Pbes2(Parameters { kdf, encryption })
    }

    fn scrypt(cost_parameter: u64, block_size: u16, parallelization: u16) -> EncryptionScheme {
        scheme(Kdf::Scrypt(ScryptParams {
            salt: Salt::new([0; 16]).unwrap(),
            cost_parameter,
            block_size,
            parallelization,
            key_length: None,
        }))
    }

    #[test]
    fn what_a_key_file_may_cost_is_bounded() {
        for affordable in [
            scrypt(1 << 14, 8, 1),
            scrypt(1 << 18, 8, 16),
            scheme(Kdf::Pbkdf2(
                Pbkdf2Params::hmac_sha256(600_000, &[0; 16]).unwrap(),
            )),
        ] {
            assert_eq!(check_cost(&affordable), Ok(()));
        }
        for too_much in [
            scrypt(1 << 19, 8, 1),
            scrypt(1 << 14, u16::MAX, 1),
            scrypt(1 << 14, 8, 17),
            scrypt(1 << 63, u16::MAX, 1),
            scrypt(u64::MAX, 1, 1),
            scrypt(0, 8, 1),
            scrypt(1, 8, 1),
            scheme(Kdf::Pbkdf2(
                Pbkdf2Params::hmac_sha256(10_000_001, &[0; 16]).unwrap(),
            )),
        ] {
            assert!(check_cost(&too_much).is_err(), "{too_much:?}");
        }
    }

    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap();
        // The long form of a length where it is needed.
        let head = match length {
            0..=127 => vec![tag, length],
            _ => vec![tag, 0x81, length],
        };
        [head, content].concat()
    }

    fn algorithm(oid: &str, parameters: &[u8]) -> Vec<u8> {
        let oid = ObjectIdentifier::new_unwrap(oid);
        tlv(0x30, &[&tlv(6, &[oid.as_bytes()]), parameters])
    }

    fn encrypted(scheme: &[u8]) -> Vec<u8> {
        tlv(0x30, &[scheme, &tlv(4, &[&[0; 48]])])
    }

    /// PBES2 with PBKDF2, of one round.
    fn pbes2(salt: usize, function: Option<&str>, cipher: &str, iv: usize) -> Vec<u8> {
        let function = function.map(|oid| algorithm(oid, &[5, 0]));
        let parameters = tlv(
            0x30,
            &[
                &tlv(4, &[&vec![7; salt]]),
                &[2, 1, 1],
                &function.unwrap_or_default(),
            ],
        );
        let derivation = algorithm("1.2.840.113549.1.5.12", &parameters);
        let cipher = algorithm(cipher, &tlv(4, &[&vec![0; iv]]));
        encrypted(&algorithm(
            "1.2.840.113549.1.5.13",
            &tlv(0x30, &[&derivation, &cipher]),
        ))
    }

    const AES_256_CBC: &str = "2.16.840.1.101.3.4.1.42";

    #[test]
    fn an_encryption_that_is_not_supported_is_named() {
        let pbes1 =
            |last: &str| encrypted(&algorithm(&format!("1.2.840.113549.1.{last}"), &[5, 0]));
        for (document, name) in [
            (pbes1("5.3"), "PKCS#5 version 1 with MD5 and DES"),
            (pbes1("5.10"), "PKCS#5 version 1 with SHA-1 and DES"),
            (pbes1("12.1.3"), "PKCS#12 with 3DES"),
            (pbes1("12.1.6"), "PKCS#12 with RC2 of 40 bits"),
            (pbes1("99"), "another than PBES2"),
            (pbes2(8, None, "1.2.840.113549.3.7", 8), "3DES"),
            (pbes2(8, None, "1.2.840.113549.3.2", 8), "RC2"),
            (pbes2(8, None, "1.3.14.3.2.7", 8), "DES"),
            (pbes2(8, None, "1.2.156.10197.1.104.2", 16), "SM4"),
            (pbes2(8, None, "1.2.3", 16), "another cipher"),
            (
                pbes2(8, Some("1.2.840.113549.2.6"), AES_256_CBC, 16),
                "HMAC-MD5",
            ),
            (
                pbes2(8, Some("2.16.840.1.101.3.4.2.14"), AES_256_CBC, 16),
                "HMAC-SHA-3",
            ),
            (
                pbes2(8, None, "2.16.840.1.101.3.4.1.26", 12),
                "AES-192 in GCM",
            ),
            (pbes2(33, None, AES_256_CBC, 16), "a salt of 33 bytes"),
        ] {
            let found = open(&document).unwrap_err();
            assert!(found.contains(name), "{name}: {found}");
            assert!(found.contains("write it anew with "), "{found}");
        }
        let salted = tlv(0x30, &[&tlv(4, &[&[7; 40]]), &[2, 1, 16, 2, 1, 8, 2, 1, 1]]);
        let derivation = algorithm("1.3.6.1.4.1.11591.4.11", &salted);
        let cipher = algorithm(AES_256_CBC, &tlv(4, &[&[0; 16]]));
        let scrypt = encrypted(&algorithm(
            "1.2.840.113549.1.5.13",
            &tlv(0x30, &[&derivation, &cipher]),
        ));
        assert!(open(&scrypt).unwrap_err().contains("a salt of 40 bytes"));
        for document in [
            pbes2(8, None, AES_256_CBC, 15),
            encrypted(&algorithm("1.2.840.113549.1.5.13", &[5, 0])),
            encrypted(&[]),
            Vec::new(),
        ] {
            let found = open(&document).unwrap_err();
            assert!(found.contains("damaged"), "{found}");
        }
    }

    /// HMAC-SHA-1 is the function of PKCS#5 where none is named.
    #[test]
    fn a_key_without_a_function_is_one_of_hmac_sha_1() {
        for (salt, function) in [
            (8, None),
            (32, None),
            (16, Some("1.2.840.113549.2.7")),
            (16, Some("1.2.840.113549.2.11")),
        ] {
            open(&pbes2(salt, function, AES_256_CBC, 16)).unwrap();
        }
    }
}
