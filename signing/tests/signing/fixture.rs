//! A publisher and a signed bundle on disk, made for one test.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ampoule_signing::{
    Bundle, ENVELOPE_FILE, Envelope, Error, MANIFEST_FILE, ManifestTemplate, PublicKey, SecretKey,
    Timestamp, TrustStore, VerifiedBundle, sign_directory,
};
use semver::Version;
use serde_json::Value;
use tempfile::TempDir;

/// The publisher that the fixture's key may speak for.
pub(crate) const PUBLISHER: &str = "acme";

/// The fixture's files. Each is different, and one lies in a directory of its own.
pub(crate) const FILES: [(&str, &[u8]); 4] = [
    (
        "component.wasm",
        b"\0asm\x0d\0\x01\0 stands for a component",
    ),
    ("config.json", b"{\"hidden_size\":384}"),
    ("onnx/weights.bin", b"0123456789 stands for weights"),
    ("tokenizer.json", b"{\"model\":{}}       "),
];

/// A signed bundle and its publisher's key.
pub(crate) struct Fixture {
    dir: TempDir,
    pub(crate) key: SecretKey,
}

impl Fixture {
    /// A bundle that verifies.
    pub(crate) fn signed() -> Self {
        let fixture = Self::unsigned();
        sign_directory(&fixture.path(), &[&fixture.key]).unwrap();
        fixture
    }

    /// Makes the bundle before it is signed: files and a manifest.
    pub(crate) fn unsigned() -> Self {
        let fixture = Self {
            dir: TempDir::new().unwrap(),
            key: SecretKey::generate().unwrap(),
        };
        fs::create_dir_all(fixture.path().join("onnx")).unwrap();
        fs::set_permissions(fixture.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for (name, content) in FILES {
            fs::write(fixture.file(name), content).unwrap();
        }
        template()
            .fill(&fixture.path(), Timestamp::now())
            .unwrap()
            .write_file(&fixture.path())
            .unwrap();
        fixture
    }

    /// The bundle's directory.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("bundle")
    }

    /// Room beside the bundle.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes the key's public half beside the bundle, as `acme.pub`.
    pub(crate) fn write_public_key(&self) {
        let file = self.beside("acme.pub");
        self.key.public_key().write_file(&file).unwrap();
    }

    /// A store that trusts the fixture's key.
    pub(crate) fn trust(&self) -> TrustStore {
        trust(&self.key, PUBLISHER)
    }

    pub(crate) fn verify(&self) -> ampoule_signing::Result<VerifiedBundle> {
        self.verify_with(&self.trust())
    }

    pub(crate) fn verify_with(
        &self,
        trust: &TrustStore,
    ) -> ampoule_signing::Result<VerifiedBundle> {
        let now = Timestamp::now();
        let verified = Bundle::open(&self.path()).and_then(|bundle| bundle.verify(trust, now));
        // Who reads piece by piece and keeps nothing comes to the same end.
        let checked = Bundle::open(&self.path()).and_then(|bundle| bundle.check(trust, now));
        match (&verified, &checked) {
            (Ok(verified), Ok(checked)) => {
                assert_eq!(checked.manifest(), verified.manifest());
                assert_eq!(checked.manifest_digest(), verified.manifest_digest());
                assert_eq!(checked.signers(), verified.signers());
            }
            (verified, checked) => {
                let code = |error: &Error| error.code();
                assert_eq!(
                    verified.as_ref().err().map(code),
                    checked.as_ref().err().map(code)
                );
            }
        }
        verified
    }

    /// The code with which the bundle is refused, after a check that refusing changed nothing.
    #[track_caller]
    pub(crate) fn refusal(&self) -> &'static str {
        self.refusal_with(&self.trust())
    }

    #[track_caller]
    pub(crate) fn refusal_with(&self, trust: &TrustStore) -> &'static str {
        let before = snapshot(&self.path());
        let error = self
            .verify_with(trust)
            .map(|_| ())
            .expect_err("it must be refused");
        assert_eq!(
            snapshot(&self.path()),
            before,
            "a refusal changes nothing on disk"
        );
        assert!(is_refusal(&error), "{error}");
        error.code()
    }

    pub(crate) fn manifest_json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file(MANIFEST_FILE)).unwrap()).unwrap()
    }

    /// Signs whatever bytes with the good key, as only a careless or hostile publisher would.
    pub(crate) fn sign_payload(&self, payload: &[u8]) {
        let envelope = Envelope::sign(payload.to_vec(), &[&self.key]).unwrap();
        self.write_envelope(&envelope.to_bytes().unwrap());
    }

    /// Signs the manifest after a change, without any of the signer's checks.
    pub(crate) fn sign_changed(&self, change: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest_json();
        change(&mut manifest);
        self.sign_payload(manifest.to_string().as_bytes());
    }

    pub(crate) fn envelope_bytes(&self) -> Vec<u8> {
        fs::read(self.file(ENVELOPE_FILE)).unwrap()
    }

    pub(crate) fn write_envelope(&self, bytes: &[u8]) {
        fs::write(self.file(ENVELOPE_FILE), bytes).unwrap();
    }
}

/// Tells whether an error is about a bundle, a signature, a key or the trust in them, and not about the caller or the
/// system: `ampoule verify` then ends with status 3.
pub(crate) fn is_refusal(error: &Error) -> bool {
    let family = error.code().split('.').next();
    let families = ["envelope", "signature", "manifest", "file", "trust"];
    family.is_some_and(|family| families.contains(&family))
}

pub(crate) fn template() -> ManifestTemplate {
    ManifestTemplate::new(
        PUBLISHER,
        "minilm",
        Version::new(1, 0, 0),
        1,
        &["text-embedding"],
    )
}

pub(crate) fn trust(key: &SecretKey, publisher: &str) -> TrustStore {
    trust_public(key.public_key(), publisher)
}

pub(crate) fn trust_public(key: &PublicKey, publisher: &str) -> TrustStore {
    let mut trust = TrustStore::new();
    trust.insert(key.clone(), [publisher]).unwrap();
    trust
}

/// Everything that a command could change below a directory: names, kinds, modes, times, contents.
pub(crate) fn snapshot(dir: &Path) -> BTreeMap<PathBuf, (u32, i64, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(path) = waiting.pop() {
        let Ok(metadata) = path.symlink_metadata() else {
            continue;
        };
        let content = if metadata.is_dir() {
            waiting.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            Vec::new()
        } else if metadata.is_file() {
            fs::read(&path).unwrap()
        } else if metadata.is_symlink() {
            fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else {
            Vec::new()
        };
        found.insert(
            path,
            (
                metadata.mode(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                content,
            ),
        );
    }
    found
}
