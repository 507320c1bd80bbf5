//! Any bytes: a root is read again as it is written, and is never believed unsigned; or it is refused.

use ampoule_signing::{Root, SignedRoot};

use super::assert_refused;

pub(super) fn check(bytes: &[u8]) {
    match Root::parse(bytes) {
        Ok(root) => {
            let written = root.to_json().unwrap();
            assert_eq!(Root::parse(written.as_bytes()).unwrap(), root);
            let unsigned = SignedRoot::sign(bytes.to_vec(), &[]).unwrap();
            assert_eq!(unsigned.unverified().unwrap(), root);
            let error = unsigned.verify_self_signed().unwrap_err();
            assert_refused(&error, &["signature.missing"]);
        }
        Err(error) => assert_refused(
            &error,
            &[
                "trust.malformed",
                "trust.schema",
                "trust.malformed-key",
                "trust.weak-key",
            ],
        ),
    }
}
