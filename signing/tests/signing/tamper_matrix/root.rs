//! A fleet's root: the installed one, a first one, and one that follows another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use ampoule_signing::{
    ByteSize, Caps, Delegation, Error, Fuel, InitCaps, ROOT_FILE, ROOT_PAYLOAD_TYPE,
    RevocationMode, Role, Root, Sha256Digest, SignedRoot, TrustStore, Validity, VerifiedRoot,
};
use tempfile::TempDir;

use super::document::{Document, Form, assert_full};
use super::fields::{Format, Rule};
use super::mutation::{Kind, Mutation};
use super::signer::{Signer, envelope};
use super::tally::Outcome::{self, Accepted, Refused, RefusedAs};
use crate::root::{LATER, NOW, threshold, time};

const SUCCESSOR: &str = "as a successor";

const MALFORMED: &[(&str, Outcome)] = &[("", Refused("trust.malformed"))];

const FORMAT: Format = Format {
    malformed: "trust.malformed",
    field: "trust.malformed",
    optional: &[
        "/roles/revocation",
        "/revocation_mode",
        "/roles/*/keys/*/id",
        "/caps",
        "/caps/*",
        "/delegations/*/threshold",
        "/delegations/*/not_before",
        "/delegations/*/not_after",
        "/delegations/*/caps",
        "/delegations/*/caps/*",
        "/delegations/*/keys/*/id",
        "/delegations/*/keys/*/not_before",
        "/delegations/*/keys/*/not_after",
    ],
    maps: &[],
    rules: &[
        Rule {
            fields: &["/schema"],
            when: Mutation::Changed,
            ends: &[("", Refused("trust.schema"))],
        },
        Rule {
            fields: &["/schema"],
            when: Mutation::LargestNumber,
            ends: &[("", Refused("trust.schema"))],
        },
        // A successor has the same name and the next version.
        Rule {
            fields: &["/name"],
            when: Mutation::Changed,
            ends: &[(SUCCESSOR, Refused("trust.root-name")), ("", Accepted)],
        },
        Rule {
            fields: &["/version"],
            when: Mutation::Changed,
            ends: &[(SUCCESSOR, Refused("trust.root-version")), ("", Accepted)],
        },
        Rule {
            fields: &["/version"],
            when: Mutation::LargestNumber,
            ends: &[(SUCCESSOR, Refused("trust.root-version")), ("", Accepted)],
        },
        Rule {
            fields: &["/revocation_mode"],
            when: Mutation::Changed,
            ends: MALFORMED,
        },
        // As many keys as have to sign, and no more.
        Rule {
            fields: &["/roles/*/threshold", "/delegations/*/threshold"],
            when: Mutation::Changed,
            ends: MALFORMED,
        },
        Rule {
            fields: &["/roles/*/threshold", "/delegations/*/threshold"],
            when: Mutation::LargestNumber,
            ends: MALFORMED,
        },
        // A key and its id go together.
        Rule {
            fields: &[
                "/roles/*/keys/*/id",
                "/roles/*/keys/*/public_key",
                "/delegations/*/keys/*/id",
                "/delegations/*/keys/*/public_key",
            ],
            when: Mutation::Changed,
            ends: MALFORMED,
        },
        Rule {
            fields: &[
                "/roles/*/keys/*/public_key",
                "/delegations/*/keys/*/public_key",
            ],
            when: Mutation::HugeText,
            ends: &[("", Refused("trust.malformed-key"))],
        },
        // Sizes are numbers of bytes, too.
        Rule {
            fields: &[
                "/caps/memory",
                "/caps/output",
                "/caps/init_memory",
                "/delegations/*/caps/memory",
                "/delegations/*/caps/output",
                "/delegations/*/caps/init_memory",
            ],
            when: Mutation::OtherType(Kind::Number),
            ends: &[("", Accepted)],
        },
        // Lists: what may be one less.
        Rule {
            fields: &[
                "/delegations/*",
                "/delegations/*/models/*",
                "/delegations/*/caps/capabilities/*",
                "/caps/capabilities/*",
            ],
            when: Mutation::Removed,
            ends: &[("", Accepted)],
        },
    ],
};

/// A trust directory.
pub(super) struct Trust {
    dir: TempDir,
}

impl Trust {
    pub(super) fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("trust")
    }

    /// Puts a root into place as if it had been installed.
    fn put(&self, root: &[u8]) {
        fs::create_dir_all(self.path()).unwrap();
        fs::set_permissions(self.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(self.path().join(ROOT_FILE), root).unwrap();
    }

    fn installed(&self) -> Vec<u8> {
        fs::read(self.path().join(ROOT_FILE)).unwrap()
    }
}

/// A root that is read from the trust directory.
fn as_installed(bytes: &[u8], trust: &Trust) -> Result<Sha256Digest, Error> {
    trust.put(bytes);
    TrustStore::open(&trust.path())?;
    Ok(VerifiedRoot::open(&trust.path())?.signed().digest())
}

/// A first root. A refusal leaves no trust directory.
fn as_first(bytes: &[u8], trust: &Trust) -> Result<Sha256Digest, Error> {
    let installed = SignedRoot::parse(bytes)
        .and_then(|signed| VerifiedRoot::install(&trust.path(), signed, time(NOW)));
    assert_eq!(trust.path().exists(), installed.is_ok());
    if installed.is_ok() {
        assert_eq!(trust.installed(), bytes);
        fs::remove_dir_all(trust.path()).unwrap();
    }
    Ok(installed?.signed().digest())
}

/// A root that is to follow `before`. A refusal leaves that one in place.
fn as_successor(bytes: &[u8], trust: &Trust, before: &[u8]) -> Result<Sha256Digest, Error> {
    let updated = VerifiedRoot::update(&trust.path(), [SignedRoot::parse(bytes)], time(NOW));
    let expected = if updated.is_ok() { bytes } else { before };
    assert_eq!(trust.installed(), expected);
    if updated.is_ok() {
        trust.put(before);
    }
    Ok(updated?.signed().digest())
}

fn caps() -> Caps {
    let names = ["another", "host-kernels"];
    Caps {
        capabilities: Some(names.map(str::to_owned).into()),
        memory: Some(ByteSize::from_mib(64)),
        fuel: Some(Fuel::new(7)),
        deadline: Some(Duration::from_millis(500)),
        output: Some(ByteSize::from_mib(1)),
        init: InitCaps {
            memory: Some(ByteSize::from_mib(128)),
            fuel: Some(Fuel::new(70)),
            deadline: Some(Duration::from_secs(30)),
        },
    }
}

/// The first root, in which nothing is left out: two sign it, two others what is revoked, and two more
/// models.
fn first_root(signers: &[Signer; 2]) -> Root {
    let validity = Validity {
        not_before: Some(time("2027-01-01T00:00:00Z")),
        not_after: Some(time("2029-01-01T00:00:00Z")),
    };
    let mut delegation =
        Delegation::new(["acme/minilm", "zeta/one"].map(|text| text.parse().unwrap()))
            .with_threshold(threshold(2))
            .with_validity(validity)
            .with_caps(caps());
    for number in [13, 14] {
        delegation = delegation.with_key(Signer::new(number).public_key(), validity);
    }
    let keys = signers.each_ref().map(Signer::public_key);
    let revocation = [11, 12].map(|number| Signer::new(number).public_key());
    Root::new("fleet", keys, threshold(2), time(LATER))
        .unwrap()
        .with_revocation(Some(Role::new(revocation, threshold(2)).unwrap()))
        .unwrap()
        .with_revocation_mode(RevocationMode::Strict)
        .change_trust(|trust| {
            trust.set_caps(caps());
            trust.insert_delegation(delegation)
        })
        .unwrap()
}

pub(super) fn document() -> Document {
    let signers = [Signer::new(1), Signer::new(2)];
    let first = first_root(&signers);
    let payload = first.to_json().unwrap().into_bytes();
    let entries: Vec<_> = signers
        .iter()
        .map(|signer| signer.sign(ROOT_PAYLOAD_TYPE, &payload))
        .collect();
    let before = envelope(ROOT_PAYLOAD_TYPE, &payload, &entries);
    let second = first.next(time(LATER)).unwrap();
    assert_full(&second);

    let [one, other, last] = std::array::from_fn(|_| Trust::new());
    last.put(&before);
    // Its text may say anything, and is read first.
    let by_its_text = RefusedAs(&[
        "signature.invalid",
        "trust.malformed",
        "trust.malformed-key",
        "trust.weak-key",
        "trust.schema",
    ]);
    Document {
        name: "root",
        payload_type: ROOT_PAYLOAD_TYPE,
        content: serde_json::from_str(&second.to_json().unwrap()).unwrap(),
        signers,
        format: FORMAT,
        forms: vec![
            Form {
                name: "as the installed one",
                brings_its_keys: true,
                other_payload: by_its_text,
                open: Box::new(move |bytes| as_installed(bytes, &one)),
            },
            Form {
                name: "as a first one",
                brings_its_keys: true,
                other_payload: by_its_text,
                open: Box::new(move |bytes| as_first(bytes, &other)),
            },
            Form {
                name: SUCCESSOR,
                brings_its_keys: false,
                // One that calls itself older is passed over, whoever signed it.
                other_payload: RefusedAs(&["signature.invalid", "trust.root-rollback"]),
                open: Box::new(move |bytes| as_successor(bytes, &last, &before)),
            },
        ],
        stride: 9,
    }
}
