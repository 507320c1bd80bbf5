//! A bundle: its manifest, and how hosts read it.

use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;

use ampoule_signing::{
    Bundle, Delegation, ENVELOPE_FILE, Error, FileDigest, Manifest, PAYLOAD_TYPE, Sha256Digest,
    TrustStore, Validity, pack_directory,
};
use serde_json::{Value, json};

use super::document::{Document, Form, Open, assert_full};
use super::fields::{Format, Rule};
use super::json_text::text;
use super::mutation::Mutation;
use super::signer::Signer;
use super::tally::Outcome::{Accepted, Refused};
use crate::fixture::{FILES, Fixture, PUBLISHER};
use crate::ustar;

const NOW: &str = "2027-06-01T00:00:00Z";
/// The files but the component have a digest for so many bytes each, several a file.
const CHUNK: NonZeroU32 = NonZeroU32::new(8).unwrap();

pub(super) const DIRECTORY: &str = "in a directory";
pub(super) const PACKED: &str = "in one file";

const FORMAT: Format = Format {
    malformed: "manifest.malformed",
    field: "manifest.field",
    optional: &["/not_after", "/license", "/source", "/description"],
    maps: &["/annotations"],
    rules: &[
        // Another name, version or limit is another model's. These are not the author's to choose.
        Rule {
            fields: &["/schema", "/contract"],
            when: Mutation::Changed,
            ends: &[("", Refused("manifest.field"))],
        },
        Rule {
            fields: &["/schema"],
            when: Mutation::LargestNumber,
            ends: &[("", Refused("manifest.field"))],
        },
        Rule {
            fields: &["/publisher"],
            when: Mutation::Changed,
            ends: &[("", Refused("trust.publisher"))],
        },
        // What says which files there are, where there are others. An archive has one spelling.
        Rule {
            fields: &["/component/path", "/files/*/path"],
            when: Mutation::Changed,
            ends: &[
                (PACKED, Refused("file.archive")),
                ("", Refused("file.missing")),
            ],
        },
        Rule {
            fields: &["/component/path", "/files/*/path"],
            when: Mutation::HugeText,
            ends: &[("", Refused("manifest.path"))],
        },
        Rule {
            fields: &["/component/size", "/files/*/size"],
            when: Mutation::Changed,
            ends: &[
                (PACKED, Refused("file.archive")),
                ("", Refused("file.size")),
            ],
        },
        Rule {
            fields: &["/component/size"],
            when: Mutation::LargestNumber,
            ends: &[("", Refused("file.too-large"))],
        },
        // As many digests as a size and a chunk's size make.
        Rule {
            fields: &["/files/*/size", "/files/*/digest/sha256_chunks/chunk_size"],
            when: Mutation::LargestNumber,
            ends: &[("", Refused("manifest.field"))],
        },
        Rule {
            fields: &[
                "/component/digest/sha256",
                "/files/*/digest/sha256_chunks/digests/*",
                "/files/*/digest/sha256_chunks/chunk_size",
            ],
            when: Mutation::Changed,
            ends: &[("", Refused("file.digest"))],
        },
        // Lists: what may be one less, and nothing twice.
        Rule {
            fields: &["/tasks/*", "/capabilities/*"],
            when: Mutation::Removed,
            ends: &[("", Accepted)],
        },
        Rule {
            fields: &["/files/*"],
            when: Mutation::Removed,
            ends: &[(PACKED, Refused("file.archive")), ("", Accepted)],
        },
        Rule {
            fields: &["/files/*"],
            when: Mutation::Duplicated,
            ends: &[("", Refused("manifest.path"))],
        },
        Rule {
            fields: &["/files"],
            when: Mutation::HugeList,
            ends: &[("", Refused("manifest.path"))],
        },
        // For people, as long as the whole document may be.
        Rule {
            fields: &["/annotations/*", "/license", "/source", "/description"],
            when: Mutation::HugeText,
            ends: &[("", Accepted)],
        },
    ],
};

/// The files of a bundle, for which envelopes are tried.
pub(super) struct BundleFiles {
    fixture: Fixture,
    trust: TrustStore,
}

impl BundleFiles {
    fn new(signers: &[Signer; 2]) -> Self {
        let mut delegation = Delegation::new([format!("{PUBLISHER}/*").parse().unwrap()])
            .with_threshold(NonZeroU32::new(2).unwrap());
        for signer in signers {
            delegation = delegation.with_key(signer.public_key(), Validity::default());
        }
        let mut trust = TrustStore::new();
        trust.insert_delegation(delegation).unwrap();
        Self {
            fixture: Fixture::unsigned(),
            trust,
        }
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.fixture.file(name)
    }

    fn packed(&self) -> PathBuf {
        self.fixture.beside("bundle.ampoule")
    }

    fn verify(&self, bundle: Bundle) -> Result<Sha256Digest, Error> {
        let verified = bundle.verify(&self.trust, NOW.parse().unwrap())?;
        // What is handed on is what was packed into it, whatever the manifest says besides.
        assert_eq!(verified.component()[..], *FILES[0].1);
        for (name, bytes) in verified.files() {
            assert!(FILES.contains(&(name, &bytes[..])), "{name}");
        }
        Ok(verified.manifest_digest())
    }

    pub(super) fn verify_directory(&self) -> Result<Sha256Digest, Error> {
        self.verify(Bundle::open(&self.fixture.path())?)
    }

    pub(super) fn verify_packed(&self, bytes: &[u8]) -> Result<Sha256Digest, Error> {
        fs::write(self.packed(), bytes).unwrap();
        self.verify(Bundle::open(&self.packed())?)
    }

    fn verify_in_memory(&self, envelope: &[u8]) -> Result<Sha256Digest, Error> {
        self.verify(Bundle::from_memory(envelope, FILES)?)
    }

    fn content(&self) -> Value {
        let mut manifest = self.fixture.manifest_json();
        let more = json!({
            "version": "1.2.3-rc.1",
            "created": "2027-01-01T00:00:00Z",
            "not_after": "2028-01-01T00:00:00Z",
            "tasks": ["text-embedding", "text-tokenization"],
            "capabilities": ["host-kernels", "another"],
            "annotations": { "training.data": "none", "another": "one" },
            "license": "MIT",
            "source": "https://example.org/minilm",
            "description": "A model.\nIn two lines.",
        });
        for (name, value) in more.as_object().unwrap() {
            manifest[name] = value.clone();
        }
        for file in manifest["files"].as_array_mut().unwrap() {
            let (_, content) = FILES
                .iter()
                .find(|(name, _)| *name == file["path"])
                .unwrap();
            file["digest"] = serde_json::to_value(FileDigest::of_chunks(content, CHUNK)).unwrap();
        }
        let full = Manifest::parse(text(&manifest, None).as_bytes()).unwrap();
        assert_full(&full);
        manifest
    }
}

/// A bundle in order, packed, and what hosts say about its parts when they are others.
pub(super) fn packed_bundle() -> (BundleFiles, Vec<u8>) {
    let document = document();
    let files = BundleFiles::new(&document.signers);
    let payload = document.payload();
    let envelope = document.envelope(&payload, &document.sign(&payload));
    fs::write(files.file(ENVELOPE_FILE), &envelope).unwrap();
    let packed = fs::read(pack(&files)).unwrap();
    (files, packed)
}

fn pack(files: &BundleFiles) -> PathBuf {
    let path = files.packed();
    pack_directory(&files.fixture.path(), &path).unwrap();
    path
}

pub(super) fn document() -> Document {
    let signers = [Signer::new(1), Signer::new(2)];
    let form = |name, open: Open| Form {
        name,
        brings_its_keys: false,
        other_payload: Refused("signature.invalid"),
        open,
    };
    let directory = BundleFiles::new(&signers);
    let content = directory.content();
    let in_directory = move |envelope: &[u8]| {
        fs::write(directory.file(ENVELOPE_FILE), envelope).unwrap();
        directory.verify_directory()
    };
    let packed = BundleFiles::new(&signers);
    let members: Vec<u8> = FILES
        .iter()
        .flat_map(|(path, content)| ustar::member(path, content))
        .chain([0; 1024])
        .collect();
    let in_one_file = move |envelope: &[u8]| {
        let first = ustar::member(ENVELOPE_FILE, envelope);
        packed.verify_packed(&[&first, &members[..]].concat())
    };
    let memory = BundleFiles::new(&signers);
    Document {
        name: "manifest",
        payload_type: PAYLOAD_TYPE,
        content,
        signers,
        format: FORMAT,
        forms: vec![
            form(DIRECTORY, Box::new(in_directory)),
            form(PACKED, Box::new(in_one_file)),
            form(
                "in memory",
                Box::new(move |envelope| memory.verify_in_memory(envelope)),
            ),
        ],
        stride: 3,
    }
}
