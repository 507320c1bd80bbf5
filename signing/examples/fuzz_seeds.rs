//! Writes what the fuzz targets of this crate begin with: `fuzz_seeds DIR` makes a folder for each, with a
//! real document of each form, and what differs from it where a reader has to look.
//!
//! The only private key in it is the one of 32 zeros, which is nobody's.

use std::error::Error;
use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use ampoule_signing::{
    ByteSize, Caps, Delegation, ENVELOPE_FILE, Envelope, FileDigest, Fuel, InitCaps, Manifest,
    ManifestTemplate, PublicKey, RevocationList, Revoked, Role, Root, SecretKey, Sha256Digest,
    SignedRoot, TRUST_FILE, Timestamp, TrustStore, Validity, Version, pack_directory,
    sign_directory,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let out = std::env::args().nth(1).ok_or("expected a folder")?;
    let out = Path::new(&out);
    let zeros = format!("MC4CAQAwBQYDK2VwBCIEI{}", "A".repeat(43));
    let key = SecretKey::from_pem(&block("PRIVATE KEY", &zeros), None)?;

    let work = tempfile::tempdir()?;
    let manifest = bundle(work.path(), &key)?;
    write(out, "manifest", &manifests(&manifest)?)?;
    let root = root(key.public_key())?;
    write(out, "root", &roots(&root)?)?;
    write(out, "revocations", &revocations(key.public_key())?)?;
    write(out, "trust_toml", &stores(work.path(), &root)?)?;
    write(out, "envelope", &envelopes(&root, &key)?)?;
    write(out, "public_key", &public_keys(key.public_key())?)?;
    write(out, "private_key", &private_keys(&zeros, &key)?)?;
    write(out, "archive", &archives(work.path(), &manifest)?)
}

fn write(out: &Path, target: &str, files: &[(&str, Vec<u8>)]) -> Result<()> {
    fs::create_dir_all(out.join(target))?;
    for (name, bytes) in files {
        fs::write(out.join(target).join(name), bytes)?;
    }
    Ok(())
}

fn block(label: &str, text: &str) -> String {
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// Decodes a PEM block.
fn der(pem: &str) -> Result<Vec<u8>> {
    let lines = pem.lines().filter(|line| !line.starts_with("--"));
    Ok(BASE64.decode(lines.collect::<String>())?)
}

fn time(text: &str) -> Result<Timestamp> {
    Ok(text.parse()?)
}

/// A signed bundle of two small files in `work`, and its manifest.
fn bundle(work: &Path, key: &SecretKey) -> Result<Manifest> {
    let dir = work.join("bundle");
    fs::create_dir(&dir)?;
    fs::write(dir.join("component.wasm"), b"\0asm")?;
    fs::write(dir.join("config.json"), b"{}")?;
    let manifest = ManifestTemplate::new(
        "acme",
        "minilm",
        Version::new(1, 0, 0),
        1,
        &["text-embedding"],
    )
    .fill(&dir, time("2027-01-01T00:00:00Z")?)?;
    manifest.write_file(&dir)?;
    sign_directory(&dir, &[key])?;
    Ok(manifest)
}

fn compact(manifest: &Manifest) -> Result<String> {
    Ok(serde_json::to_string(manifest)?)
}

fn manifests(manifest: &Manifest) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let text = compact(manifest)?;
    let chunks = FileDigest::of_chunks(b"{}", NonZeroU32::MIN);
    let mut full = serde_json::to_value(manifest)?;
    full["not_after"] = "2028-01-01T00:00:00Z".into();
    full["annotations"]["a.b"] = "two\nlines".into();
    full["capabilities"] = vec!["host-kernels"].into();
    full["files"][0]["digest"] = serde_json::to_value(chunks)?;
    for name in ["license", "source", "description"] {
        full[name] = name.into();
    }
    let other = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    Ok(vec![
        ("manifest", text.clone().into_bytes()),
        ("full", full.to_string().into_bytes()),
        ("pretty", manifest.to_json()?.into_bytes()),
        ("schema", other("\"schema\":1", "\"schema\":2")),
        ("name_twice", other("{", "{\"name\":\"x\",")),
        ("unknown_field", other("{", "{\"unknown\":[[null,true]],")),
        (
            "number_with_fraction",
            other("\"release\":1", "\"release\":1.0"),
        ),
        (
            "number_too_large",
            other("\"release\":1", "\"release\":9007199254740992"),
        ),
        ("path_outside", other("config.json", "../config.json")),
        ("path_twice", other("config.json", "Component.wasm")),
        (
            "path_below_a_file",
            other("config.json", "component.wasm/x"),
        ),
        ("version", other("1.0.0", "1.0.0-rc.1+build")),
        ("escape", other("minilm", "mini\\u006cm")),
        ("cut", text.as_bytes()[..text.len() / 2].to_vec()),
    ])
}

fn root(key: &PublicKey) -> Result<Root> {
    Ok(Root::new(
        "f",
        [key.clone()],
        NonZeroU32::MIN,
        time("2028-01-01T00:00:00Z")?,
    )?
    .change_trust(|trust| trust.insert(key.clone(), ["acme"]))?)
}

/// Returns the root with every optional part.
fn full_root(root: &Root) -> Result<Root> {
    let key = root.keys().next().ok_or("a key")?.clone();
    let caps = Caps {
        capabilities: Some(["host-kernels".to_owned()].into()),
        memory: Some(ByteSize::from_mib(64)),
        fuel: Some(Fuel::new(7)),
        deadline: Some(std::time::Duration::from_millis(500)),
        output: Some(ByteSize::from_bytes(9)),
        init: InitCaps {
            memory: Some(ByteSize::from_mib(1)),
            fuel: Some(Fuel::new(70)),
            deadline: Some(std::time::Duration::from_secs(30)),
        },
    };
    let validity = Validity {
        not_before: Some(time("2027-01-01T00:00:00Z")?),
        not_after: Some(time("2029-01-01T00:00:00Z")?),
    };
    let delegation = Delegation::new(["zeta/one".parse()?])
        .with_validity(validity)
        .with_caps(caps.clone())
        .with_key(key.clone(), validity);
    Ok(root
        .clone()
        .with_revocation(Some(Role::new([key], NonZeroU32::MIN)?))?
        .change_trust(|trust| {
            trust.set_caps(caps);
            trust.insert_delegation(delegation)
        })?)
}

fn roots(root: &Root) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let value: serde_json::Value = serde_json::from_str(&root.to_json()?)?;
    let text = value.to_string();
    let full: serde_json::Value = serde_json::from_str(&full_root(root)?.to_json()?)?;
    let other = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    Ok(vec![
        ("root", text.clone().into_bytes()),
        ("full", full.to_string().into_bytes()),
        ("pretty", root.to_json()?.into_bytes()),
        ("schema", other("\"schema\":1", "\"schema\":2")),
        ("threshold", other("\"threshold\":1", "\"threshold\":2")),
        ("version", other("\"version\":1", "\"version\":0")),
        ("day", other("2028-01-01T00:00:00Z", "2028-01-01")),
        ("pattern", other("acme/*", "acme*")),
        ("another_id", other("\"id\":\"", "\"id\":\"0")),
        ("unknown_role", other("\"root\"", "\"mirror\"")),
        ("no_key", other("MCow", "MCox")),
        ("cut", text.as_bytes()[..text.len() / 2].to_vec()),
    ])
}

fn revocations(key: &PublicKey) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut list = RevocationList::new("fleet", "2028-01-01T00:00:00Z".parse()?)?;
    let short = list.to_json()?;
    for what in [
        Revoked::Key(key.key_id()),
        Revoked::Manifest(Sha256Digest::of(b"manifest")),
        Revoked::Component(Sha256Digest::of(b"component")),
    ] {
        list = list.with(what, Some("a reason".to_owned()))?;
    }
    let pretty = list.to_json()?;
    let value: serde_json::Value = serde_json::from_str(&pretty)?;
    let text = value.to_string();
    let other = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    Ok(vec![
        ("list", text.clone().into_bytes()),
        ("short", short.into_bytes()),
        ("pretty", pretty.into_bytes()),
        ("schema", other("\"schema\":1", "\"schema\":2")),
        ("version", other("\"version\":1", "\"version\":0")),
        ("day", other("2028-01-01T00:00:00Z", "2028-01-01")),
        ("no_id", other("\"id\":\"", "\"id\":\"0")),
        ("two_lines", other("a reason", "a\\nreason")),
        ("unknown_list", other("\"manifests\"", "\"models\"")),
        ("cut", text.as_bytes()[..text.len() / 2].to_vec()),
    ])
}

fn stores(work: &Path, root: &Root) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut texts = Vec::new();
    for (name, root) in [("small", root.clone()), ("large", full_root(root)?)] {
        let dir = work.join(name);
        TrustStore::update(&dir, |store| {
            store.set_caps(root.caps().clone());
            for delegation in root.delegations() {
                store.insert_delegation(delegation.clone())?;
            }
            Ok(())
        })?;
        texts.push(fs::read_to_string(dir.join(TRUST_FILE))?);
    }
    let [text, full] = [&texts[0], &texts[1]];
    let other = |from: &str, to: &str| full.replacen(from, to, 1).into_bytes();
    Ok(vec![
        ("store", text.clone().into_bytes()),
        ("full", full.clone().into_bytes()),
        ("empty", b"schema = 1\n".to_vec()),
        ("schema", b"schema = 2\n".to_vec()),
        ("no_toml", b"schema = ".to_vec()),
        (
            "date",
            other("\"2027-01-01T00:00:00Z\"", "2027-01-01T00:00:00Z"),
        ),
        ("fraction", other("fuel = 7", "fuel = 7.5")),
        ("negative", other("fuel = 7", "fuel = -7")),
        ("size_in_bytes", other("\"64MiB\"", "64")),
        ("time", other("\"500ms\"", "\"1m 30s\"")),
        ("pattern_twice", other("zeta/one", "acme/*")),
    ])
}

fn envelopes(root: &Root, key: &SecretKey) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let payload = b"{\"schema\":1}".to_vec();
    let unsigned = Envelope::sign(payload.clone(), &[])?;
    let mut signed = Envelope::sign(payload, &[key])?;
    let one = String::from_utf8(signed.to_bytes()?)?;
    signed.cosign(&SecretKey::generate()?)?;
    let root = SignedRoot::sign(root.to_json()?.into_bytes(), &[key])?;
    let other = |from: &str, to: &str| one.replacen(from, to, 1).into_bytes();
    let start = one.find("[{").ok_or("a signature")? + 1;
    let entry = &one[start..one.len() - 2];
    let twice = format!("{},{entry}]}}", &one[..one.len() - 2]);
    Ok(vec![
        ("unsigned", unsigned.to_bytes()?),
        ("signed", one.clone().into_bytes()),
        ("cosigned", signed.to_bytes()?),
        ("root", root.envelope().to_bytes()?),
        ("same_key_twice", twice.into_bytes()),
        ("another_type", other("ampoule.manifest", "in-toto")),
        ("blank", other(",", ", ")),
        ("escape", other("payloadType", "payload\\u0054ype")),
        ("no_base64", other("\"payload\":\"", "\"payload\":\"=")),
        ("unknown_field", other("{", "{\"unknown\":1,")),
        ("cut", one.as_bytes()[..one.len() / 2].to_vec()),
    ])
}

fn public_keys(key: &PublicKey) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let pem = key.to_pem()?;
    let spki = der(&pem)?;
    let with = |at: usize, byte: u8| {
        let mut other = spki.clone();
        other[at] = byte;
        other
    };
    let [mut zero, mut second] = [spki.clone(), spki.clone()];
    zero[12..].fill(0);
    second[12..].fill(0xff);
    second[12] = 0xee;
    Ok(vec![
        ("pem", pem.clone().into_bytes()),
        ("pem_of_one_line", pem.replace('\n', " ").into_bytes()),
        ("pem_with_text", format!("text\n{pem}more\n").into_bytes()),
        (
            "pem_of_another_kind",
            pem.replace("PUBLIC KEY", "CERTIFICATE").into_bytes(),
        ),
        ("der", spki.clone()),
        ("x25519", with(8, 0x6e)),
        ("no_point", with(12, 2)),
        ("long_length", with(1, 0x84)),
        ("low_order", zero),
        ("y_above_p", second),
        ("trailing", [&spki[..], &[0]].concat()),
        ("cut", spki[..30].to_vec()),
    ])
}

fn private_keys(zeros: &str, key: &SecretKey) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let plain = BASE64.decode(zeros)?;
    let encrypted = der(&key.to_encrypted_pem("password")?)?;
    let with = |bytes: &[u8], at: usize, byte: u8| {
        let mut other = bytes.to_vec();
        other[at] = byte;
        other
    };
    // Version 2, with the public key beside the private one (RFC 8410, section 7).
    let public = &der(&key.public_key().to_pem()?)?[12..];
    let mut both = [&plain[..], &[0x81, 0x21, 0x00], public].concat();
    (both[1], both[4]) = (0x51, 1);
    let of_another = with(&both, 60, 7);
    // The exponent of scrypt's N, by its place in what we write ourselves.
    let cost = encrypted
        .windows(4)
        .position(|part| part == [0x02, 0x02, 0x40, 0x00])
        .ok_or("scrypt's cost")?;
    Ok(vec![
        ("plain", plain.clone()),
        ("with_public_key", both),
        ("with_another_public_key", of_another),
        ("x25519", with(&plain, 11, 0x6e)),
        ("short", plain[..40].to_vec()),
        ("trailing", [&plain[..], &[0]].concat()),
        ("encrypted", encrypted.clone()),
        ("encrypted_at_a_high_cost", with(&encrypted, cost + 2, 0x7f)),
        ("encrypted_another_way", with(&encrypted, 13, 0x0c)),
        ("encrypted_cut", encrypted[..60].to_vec()),
        (
            "pem_of_another_kind",
            key.public_key().to_pem()?.into_bytes(),
        ),
    ])
}

fn archives(work: &Path, manifest: &Manifest) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let (dir, file) = (work.join("bundle"), work.join("packed"));
    pack_directory(&dir, &file)?;
    let packed = fs::read(&file)?;
    let envelope = fs::read(dir.join(ENVELOPE_FILE))?.len();
    let members = &packed[512 + envelope.next_multiple_of(512)..];
    // As the target takes it apart: the length of a manifest, the manifest, what follows the envelope.
    let parts = |manifest: &str, members: &[u8]| {
        let length = (manifest.len() as u16).to_le_bytes();
        [&length[..], manifest.as_bytes(), members].concat()
    };
    let text = compact(manifest)?;
    let with = |at: usize, byte: u8| {
        let mut other = members.to_vec();
        other[at] = byte;
        parts(&text, &other)
    };
    let larger = text.replacen("\"size\":4", "\"size\":8589934592", 1);
    Ok(vec![
        ("packed", packed.clone()),
        ("packed_cut", packed[..700].to_vec()),
        ("parts", parts(&text, members)),
        ("parts_cut", parts(&text, &members[..1600])),
        ("parts_longer", parts(&text, &[members, b"more"].concat())),
        ("a_size_of_8_gib", parts(&larger, members)),
        ("a_link", with(156, b'2')),
        ("another_name", with(0, b'x')),
        ("another_content", with(512, 1)),
        ("hidden", with(600, 1)),
        ("a_hidden_end", with(members.len() - 1, 1)),
        ("no_header", with(257, 0)),
    ])
}
