//! Bundles, signed by publishers made for the occasion.

use std::path::{Path, PathBuf};

use ampoule_signing::{Bundle, Envelope, PublicKey, SecretKey, Sha256Digest, TrustStore};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::guests::test_guest;

/// Path of the component in these bundles.
const COMPONENT_FILE: &str = "component.wasm";

/// A publisher with a fresh key.
pub struct Publisher {
    name: String,
    key: SecretKey,
}

impl Publisher {
    /// Makes a publisher of that name.
    ///
    /// # Panics
    ///
    /// If the system gives no randomness.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            key: SecretKey::generate().unwrap(),
        }
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    /// Makes a trust store that lets this publisher's key speak for its name.
    ///
    /// # Panics
    ///
    /// If the store refuses the publisher.
    #[must_use]
    pub fn trust(&self) -> TrustStore {
        let mut trust = TrustStore::new();
        trust
            .insert(self.key.public_key().clone(), [self.name.as_str()])
            .unwrap();
        trust
    }

    /// Signs these bytes, which may be no manifest at all, and returns the envelope.
    ///
    /// # Panics
    ///
    /// If they cannot be signed.
    #[must_use]
    pub fn sign(&self, payload: Vec<u8>) -> Vec<u8> {
        let envelope = Envelope::sign(payload, &[&self.key]).unwrap();
        envelope.to_bytes().unwrap()
    }

    /// Begins a bundle of the well-behaved guest that offers every task.
    #[must_use]
    pub fn every_task(&self) -> BundleBuilder<'_> {
        self.bundle(test_guest("every_task")).tasks(&[
            "text-tokenization",
            "text-embedding",
            "image-embedding",
            "image-classification",
            "text-generation",
        ])
    }

    /// Begins a bundle of a component that embeds text.
    #[must_use]
    pub fn bundle(&self, component: Vec<u8>) -> BundleBuilder<'_> {
        let manifest = json!({
            "schema": 1,
            "publisher": self.name,
            "name": "test",
            "version": "1.0.0",
            "release": 1,
            "created": "2026-01-01T00:00:00Z",
            "contract": "ampoule:model@0.1.0",
            "tasks": ["text-embedding"],
            "component": entry(COMPONENT_FILE, &component),
            "files": [],
            "capabilities": [],
            "limits": {
                "memory_bytes": 64 << 20,
                "fuel": 100_000_000_000_u64,
                "deadline_ms": 3_000,
                "output_bytes": 1 << 20,
                "init": {
                    "memory_bytes": 64 << 20,
                    "fuel": 100_000_000_000_u64,
                    "deadline_ms": 3_000,
                },
            },
            "annotations": {},
        });
        BundleBuilder {
            publisher: self,
            manifest,
            component,
            files: Vec::new(),
        }
    }
}

/// A bundle in the making.
pub struct BundleBuilder<'p> {
    publisher: &'p Publisher,
    manifest: Value,
    component: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
}

impl BundleBuilder<'_> {
    /// Sets the model's name. An operator's machine knows one bundle by a name and a release.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.set("/name", json!(name))
    }

    /// Replaces the component.
    #[must_use]
    pub fn component(mut self, component: Vec<u8>) -> Self {
        self.manifest["component"] = entry(COMPONENT_FILE, &component);
        self.component = component;
        self
    }

    /// Sets the tasks that the manifest declares.
    #[must_use]
    pub fn tasks(self, tasks: &[&str]) -> Self {
        self.set("/tasks", json!(tasks))
    }

    /// Sets the manifest's value at a JSON pointer, such as `/limits/fuel`.
    ///
    /// # Panics
    ///
    /// If the manifest has no such value.
    #[must_use]
    pub fn set(mut self, pointer: &str, value: Value) -> Self {
        *self.manifest.pointer_mut(pointer).unwrap() = value;
        self
    }

    /// Sets a member of the manifest that may be missing, such as `description`.
    #[must_use]
    pub fn member(mut self, name: &str, value: Value) -> Self {
        self.manifest[name] = value;
        self
    }

    /// Adds a file that the guest may read.
    #[must_use]
    pub fn file(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.files.push((name.to_owned(), bytes));
        self
    }

    /// Signs the manifest and writes the bundle to a directory of its own, which is removed when the returned
    /// value is dropped.
    ///
    /// # Panics
    ///
    /// If the system refuses to write.
    #[must_use]
    pub fn write(self) -> WrittenBundle {
        let dir = TempDir::new().unwrap();
        let (envelope, files) = self.sign();
        std::fs::write(dir.path().join(ampoule_signing::ENVELOPE_FILE), envelope).unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        WrittenBundle { dir }
    }

    /// Signs the manifest and keeps the bundle in memory.
    ///
    /// # Panics
    ///
    /// If its envelope is too long to be read.
    #[must_use]
    pub fn in_memory(self) -> Bundle {
        let (envelope, files) = self.sign();
        Bundle::from_memory(&envelope, files).unwrap()
    }

    /// Returns the signed envelope, and every file by its path.
    fn sign(mut self) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
        let entries = self.files.iter().map(|(name, bytes)| entry(name, bytes));
        self.manifest["files"] = Value::Array(entries.collect());
        let payload = serde_json::to_vec(&self.manifest).unwrap();
        let mut files = self.files;
        files.push((COMPONENT_FILE.to_owned(), self.component));
        (self.publisher.sign(payload), files)
    }
}

/// A signed bundle on disk. Its directory is removed when this is dropped.
pub struct WrittenBundle {
    dir: TempDir,
}

impl WrittenBundle {
    /// Returns its directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

impl From<&WrittenBundle> for PathBuf {
    fn from(bundle: &WrittenBundle) -> Self {
        bundle.path().to_owned()
    }
}

fn entry(path: &str, bytes: &[u8]) -> Value {
    json!({
        "path": path,
        "size": bytes.len(),
        "digest": { "sha256": Sha256Digest::of(bytes).to_string() },
    })
}
