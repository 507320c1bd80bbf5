//! Any bytes as `trust.toml`: a store that is written and read again is the same, or it is refused.

use ampoule_signing::{TRUST_FILE, TrustStore};
use tempfile::TempDir;

use super::assert_refused;

pub(super) fn check(bytes: &[u8]) {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join(TRUST_FILE), bytes).unwrap();
    match TrustStore::open(dir.path()) {
        Ok(store) => {
            let other = dir.path().join("other");
            // An empty store is not written, and so is not there to be read.
            let put = |there: &mut TrustStore| {
                *there = store.clone();
                Ok(*there == TrustStore::new())
            };
            let is_empty = TrustStore::update(&other, put).unwrap();
            if !is_empty {
                assert_eq!(TrustStore::open(&other).unwrap(), store);
            }
        }
        Err(error) => assert_refused(&error, &["trust."]),
    }
}
