//! Any bytes: a manifest means to us what it means to any JSON parser, is read again as it is written, and
//! names no file outside its bundle; or it is refused.

use std::path::{Component, Path};

use ampoule_signing::Manifest;
use serde_json::Value;

use super::assert_refused;

pub(super) fn check(bytes: &[u8]) {
    match Manifest::parse(bytes) {
        Ok(manifest) => {
            let by_others: Value = serde_json::from_slice(bytes).unwrap();
            assert_eq!(serde_json::to_value(&manifest).unwrap(), by_others);
            let written = manifest.to_json().unwrap();
            assert_eq!(Manifest::parse(written.as_bytes()).unwrap(), manifest);
            for file in [manifest.component()].into_iter().chain(manifest.files()) {
                let mut parts = Path::new(file.path()).components();
                assert!(parts.all(|part| matches!(part, Component::Normal(_))));
            }
        }
        Err(error) => assert_refused(&error, &["manifest."]),
    }
}
