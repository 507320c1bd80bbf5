//! Any bytes: a revocation list is read again as it is written, and is never obeyed unsigned; or it is
//! refused.

use ampoule_signing::{RevocationList, SignedRevocations, TrustStore};

use super::assert_refused;

pub(super) fn check(bytes: &[u8]) {
    match RevocationList::parse(bytes) {
        Ok(list) => {
            let written = list.to_json().unwrap();
            assert_eq!(RevocationList::parse(written.as_bytes()).unwrap(), list);
            for (what, _) in list.entries() {
                assert!(list.contains(&what));
            }
            let unsigned = SignedRevocations::sign(bytes.to_vec(), &[]).unwrap();
            assert_eq!(unsigned.unverified().unwrap(), list);
            let error = TrustStore::new().accept_revocations(&unsigned).unwrap_err();
            assert_refused(&error, &["trust.revocations-authority"]);
        }
        Err(error) => assert_refused(&error, &["trust.malformed", "trust.schema"]),
    }
}
