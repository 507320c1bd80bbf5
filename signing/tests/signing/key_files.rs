//! Key files as people and programs leave them: what stands around a key is no part of it, and what is no key
//! is called what it is.

use std::fs;
use std::path::Path;

use ampoule_signing::{PublicKey, SecretKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::file_access::write_private;
use crate::openssl_program::openssl_succeeds;

const PASSWORD: &str = "pw";

/// A key of OpenSSL in its three forms.
struct Keys {
    dir: TempDir,
    plain: String,
    locked: String,
    public: String,
}

impl Keys {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = |arguments: &str| {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            openssl_succeeds(dir.path(), &arguments);
        };
        run("genpkey -algorithm ed25519 -out plain");
        run("pkcs8 -topk8 -in plain -out locked -passout pass:pw");
        run("pkey -in plain -pubout -out public");
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        let (plain, locked, public) = (read("plain"), read("locked"), read("public"));
        Self {
            dir,
            plain,
            locked,
            public,
        }
    }

    fn key(&self) -> PublicKey {
        PublicKey::from_pem(&self.public).unwrap()
    }

    /// Returns the output of OpenSSL for the words of a command.
    fn openssl(&self, arguments: &str) -> Vec<u8> {
        openssl_succeeds(self.dir.path(), &arguments.split(' ').collect::<Vec<_>>())
    }
}

/// Reads a private key's file, as the commands do.
fn read_private(dir: &Path, file: &[u8]) -> ampoule_signing::Result<SecretKey> {
    let path = dir.join("private");
    write_private(&path, file);
    SecretKey::read_file(&path, || Ok(Zeroizing::new(PASSWORD.to_owned())))
}

/// Reads a public key's file, as the commands and `ampoule trust add` do.
fn read_public(dir: &Path, file: &[u8]) -> ampoule_signing::Result<PublicKey> {
    let path = dir.join("public-file");
    fs::write(&path, file).unwrap();
    PublicKey::read_file(&path)
}

#[track_caller]
fn assert_private_refused(dir: &Path, file: &[u8], words: &str) {
    let error = read_private(dir, file).unwrap_err();
    assert_eq!(error.code(), "usage.private-key", "{words}: {error}");
    assert!(error.to_string().contains(words), "{words}: {error}");
}

#[track_caller]
fn assert_public_refused(dir: &Path, file: &[u8], words: &str) {
    let error = read_public(dir, file).unwrap_err();
    assert_eq!(error.code(), "trust.malformed-key", "{words}: {error}");
    assert!(error.to_string().contains(words), "{words}: {error}");
}

#[test]
fn a_key_is_read_whatever_stands_around_its_block() {
    let keys = Keys::new();
    let dir = keys.dir.path();
    type Change = fn(&str) -> Vec<u8>;
    let changes: [(&str, Change); 16] = [
        ("nothing", |pem| pem.into()),
        ("an empty line", |pem| format!("{pem}\n").into()),
        ("many empty lines", |pem| format!("\n\n{pem}\n\n\n").into()),
        ("blanks", |pem| format!("{pem} \t\n").into()),
        ("a remark", |pem| format!("{pem}# mine\n").into()),
        ("no last line end", |pem| pem.trim_end().into()),
        ("blanks at the ends of lines", |pem| {
            pem.replace('\n', "  \n").into()
        }),
        ("line ends of Windows", |pem| {
            format!("{pem}\n").replace('\n', "\r\n").into()
        }),
        ("line ends of old Macs", |pem| {
            pem.replace('\n', "\r").into()
        }),
        ("a byte order mark", |pem| format!("\u{feff}{pem}").into()),
        ("attributes before it", |pem| {
            format!(
                "Bag Attributes\n    friendlyName: acme\nKey Attributes: <No Attributes>\n{pem}"
            )
            .into()
        }),
        ("a remark in Latin-1", |pem| {
            [b"Schl\xfcssel\n", pem.as_bytes(), b"\xa7\n"].concat()
        }),
        ("indentation", |pem| {
            pem.lines()
                .map(|line| format!("    {line}\n"))
                .collect::<String>()
                .into()
        }),
        ("empty lines in it", |pem| pem.replace('\n', "\n\n").into()),
        ("one long line", |pem| rewrapped(pem, 1000)),
        ("lines of 20 letters", |pem| rewrapped(pem, 20)),
    ];
    for (what, change) in changes {
        for pem in [&keys.plain, &keys.locked] {
            let key =
                read_private(dir, &change(pem)).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(key.public_key(), &keys.key(), "{what}");
        }
        let key = read_public(dir, &change(&keys.public));
        let key = key.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(key, keys.key(), "{what}");
    }
}

/// A block with lines of another length.
fn rewrapped(pem: &str, length: usize) -> Vec<u8> {
    let lines: Vec<&str> = pem.lines().collect();
    let body = lines[1..lines.len() - 1].concat();
    let mut text = format!("{}\n", lines[0]);
    for line in body.as_bytes().chunks(length) {
        text += std::str::from_utf8(line).unwrap();
        text.push('\n');
    }
    format!("{text}{}\n", lines[lines.len() - 1]).into()
}

#[test]
fn the_key_among_other_blocks_is_found_and_of_two_keys_none_is_taken() {
    let keys = Keys::new();
    let dir = keys.dir.path();
    keys.openssl("req -x509 -key plain -subj /CN=acme -out certificate");
    let certificate = fs::read_to_string(dir.join("certificate")).unwrap();
    for file in [
        format!("{certificate}{}", keys.plain),
        format!("{}{certificate}", keys.plain),
        format!("{}{}", keys.public, keys.plain),
        format!("{certificate}{}{certificate}", keys.locked),
    ] {
        let key = read_private(dir, file.as_bytes()).unwrap();
        assert_eq!(key.public_key(), &keys.key());
    }
    let both = format!("{certificate}{}", keys.public);
    assert_eq!(read_public(dir, both.as_bytes()).unwrap(), keys.key());

    // Which one would sign, and which one would be trusted?
    let another = Keys::new();
    for file in [
        format!("{}{}", keys.plain, another.plain),
        format!("{}{}", keys.locked, another.plain),
    ] {
        assert_private_refused(dir, file.as_bytes(), "several keys");
    }
    let two = format!("{}{}", keys.public, another.public);
    assert_public_refused(dir, two.as_bytes(), "several keys");
    assert_private_refused(dir, certificate.as_bytes(), "a certificate");
    assert_public_refused(dir, certificate.as_bytes(), "openssl x509");
}

#[test]
fn a_half_given_for_the_other_is_called_so() {
    let keys = Keys::new();
    let dir = keys.dir.path();
    assert_private_refused(dir, keys.public.as_bytes(), "found a public key");
    for pem in [&keys.plain, &keys.locked] {
        assert_public_refused(dir, pem.as_bytes(), "found a private key");
    }
}

#[test]
fn keys_of_other_algorithms_are_refused_by_their_names() {
    let keys = Keys::new();
    let dir = keys.dir.path();
    for (options, name) in [
        ("-algorithm ed448", "Ed448"),
        ("-algorithm x25519", "X25519"),
        ("-algorithm x448", "X448"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "ECDSA"),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:1024", "RSA"),
    ] {
        keys.openssl(&format!("genpkey -out other {options}"));
        let private = fs::read(dir.join("other")).unwrap();
        assert_private_refused(dir, &private, name);
        assert_public_refused(dir, &keys.openssl("pkey -in other -pubout"), name);
        // The right password opens it: what is wrong is not the password.
        keys.openssl("pkcs8 -topk8 -in other -out other-locked -passout pass:pw");
        let locked = fs::read(dir.join("other-locked")).unwrap();
        assert_private_refused(dir, &locked, name);
    }
    keys.openssl("ecparam -genkey -name prime256v1 -out traditional");
    let traditional = fs::read(dir.join("traditional")).unwrap();
    assert_private_refused(dir, &traditional, "ECDSA");
    keys.openssl("rsa -in other -traditional -aes128 -passout pass:pw -out traditional");
    let traditional = fs::read(dir.join("traditional")).unwrap();
    assert_private_refused(dir, &traditional, "RSA");
}

#[test]
fn files_of_other_tools_are_refused_by_their_names() {
    let keys = Keys::new();
    let dir = keys.dir.path();
    // Nobody's keys: only how such files begin.
    let block =
        |label: &str| format!("-----BEGIN {label}-----\nb3BlbnNzaA==\n-----END {label}-----\n");
    for (file, name) in [
        (block("OPENSSH PRIVATE KEY"), "OpenSSH"),
        (block("ENCRYPTED SIGSTORE PRIVATE KEY"), "cosign"),
        (block("PGP PRIVATE KEY BLOCK"), "OpenPGP"),
        (block("DSA PRIVATE KEY"), "DSA"),
        (
            block("SOME NEW PRIVATE KEY"),
            "a private key of another kind",
        ),
        ("PuTTY-User-Key-File-3: ssh-ed25519\n".to_owned(), "PuTTY"),
        (
            "untrusted comment: minisign encrypted secret key\nRWR\n".to_owned(),
            "minisign",
        ),
        ("AGE-SECRET-KEY-1QQQ\n".to_owned(), "age"),
        (r#"{"kty":"OKP","crv":"Ed25519"}"#.to_owned(), "JWK"),
        (String::new(), "an empty file"),
        ("\n \n".to_owned(), "an empty file"),
        ("hello\n".to_owned(), "no PEM block"),
        ("x".repeat(20_000), "more than the 16 KiB"),
        (keys.plain.replace('\n', "\\n"), "the two letters \\n"),
        (keys.plain.replace('\n', " "), "broken out of its lines"),
        (
            keys.plain.replace("-----END PRIVATE KEY-----\n", ""),
            "without its last line",
        ),
        (
            keys.plain.replace("-----BEGIN PRIVATE KEY-----\n", ""),
            "no PEM block",
        ),
        (keys.plain.replace("MC4C", "MC!C"), "more in it than base64"),
        (keys.plain.replace("MC4C", "MC5C"), "damaged"),
    ] {
        assert_private_refused(dir, file.as_bytes(), name);
    }
    for (file, name) in [
        (
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== a@example\n".to_owned(),
            "SSH",
        ),
        ("---- BEGIN SSH2 PUBLIC KEY ----\n".to_owned(), "SSH"),
        (
            "untrusted comment: minisign public key E7620F1842B4E81F\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n"
                .to_owned(),
            "minisign",
        ),
        (block("CERTIFICATE REQUEST"), "a request for a certificate"),
        (block("RSA PUBLIC KEY"), "RSA"),
    ] {
        assert_public_refused(dir, file.as_bytes(), name);
    }
    // In UTF-16, as PowerShell writes what a command prints.
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(keys.public.encode_utf16().flat_map(u16::to_le_bytes));
    assert_public_refused(dir, &utf16, "UTF-16");
    assert_private_refused(dir, &utf16, "UTF-16");
}

#[test]
fn binary_key_files_are_refused_with_the_command_that_makes_pem_of_them() {
    let keys = Keys::new();
    let dir = keys.dir.path();
    keys.openssl("pkey -in plain -outform DER -out OLD");
    assert_private_refused(
        dir,
        &fs::read(dir.join("OLD")).unwrap(),
        "`openssl pkcs8 -topk8 -inform DER -in OLD -out NEW`",
    );
    keys.openssl("pkcs8 -topk8 -inform DER -in OLD -out NEW -passout pass:pw");
    let key = read_private(dir, &fs::read(dir.join("NEW")).unwrap()).unwrap();
    assert_eq!(key.public_key(), &keys.key());

    keys.openssl("pkey -in plain -pubout -outform DER -out OLD");
    assert_public_refused(
        dir,
        &fs::read(dir.join("OLD")).unwrap(),
        "`openssl pkey -pubin -inform DER -in OLD -pubout -out NEW`",
    );
    keys.openssl("pkey -pubin -inform DER -in OLD -pubout -out NEW");
    let key = read_public(dir, &fs::read(dir.join("NEW")).unwrap()).unwrap();
    assert_eq!(key, keys.key());

    keys.openssl("req -x509 -key plain -subj /CN=acme -out certificate");
    keys.openssl("pkcs12 -export -inkey plain -in certificate -out OLD -passout pass:pw");
    assert_private_refused(
        dir,
        &fs::read(dir.join("OLD")).unwrap(),
        "`openssl pkcs12 -in FILE -nocerts -out NEW`",
    );
    keys.openssl("pkcs12 -in OLD -nocerts -out NEW -passin pass:pw -passout pass:pw");
    let key = read_private(dir, &fs::read(dir.join("NEW")).unwrap()).unwrap();
    assert_eq!(key.public_key(), &keys.key());
}

/// PKCS#8 around a seed, with more behind it.
fn pkcs8(version: u8, seed: &[u8], more: &[u8]) -> String {
    let mut der = vec![
        0x02, 1, version, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend_from_slice(seed);
    der.extend_from_slice(more);
    let mut all = vec![0x30, u8::try_from(der.len()).unwrap()];
    all.extend_from_slice(&der);
    let text = BASE64.encode(all);
    let body: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        body.join("\n")
    )
}

#[test]
fn a_key_with_its_public_half_is_read_and_one_with_anothers_is_not() {
    let keys = Keys::new();
    let dir = keys.dir.path();
    let der = pkcs8::Document::from_pem(&keys.plain).unwrap().1;
    let seed = &der.as_bytes()[der.as_bytes().len() - 32..];
    let half = |keys: &Keys, tag: &[u8]| {
        let der = pkcs8::Document::from_pem(&keys.public).unwrap().1;
        let point = &der.as_bytes()[der.as_bytes().len() - 32..];
        [tag, point].concat()
    };
    let implicit = [0x81, 0x21, 0];
    let attributes = [0xa0, 0];
    for (version, more) in [
        (0, vec![]),
        (1, half(&keys, &implicit)),
        (1, [&attributes[..], &half(&keys, &implicit)].concat()),
        (0, attributes.to_vec()),
    ] {
        let key = read_private(dir, pkcs8(version, seed, &more).as_bytes()).unwrap();
        assert_eq!(key.public_key(), &keys.key());
    }
    let anothers = half(&Keys::new(), &implicit);
    assert_private_refused(
        dir,
        pkcs8(1, seed, &anothers).as_bytes(),
        "another's public half",
    );
    let of_ring = half(&keys, &[0xa1, 0x23, 3, 0x21, 0]);
    assert_private_refused(dir, pkcs8(1, seed, &of_ring).as_bytes(), "ring before 0.17");
    assert_private_refused(dir, pkcs8(0, &seed[1..], &[]).as_bytes(), "damaged");
}
