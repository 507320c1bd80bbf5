//! Any bytes: an envelope is read in its one spelling, as one kind of document and no other, or refused.

use std::collections::BTreeSet;

use ampoule_signing::{Envelope, MAX_SIGNATURES, SignedRoot};

use super::assert_refused;

pub(super) fn check(bytes: &[u8]) {
    let as_each = [
        Envelope::parse(bytes),
        SignedRoot::parse(bytes).map(|root| root.envelope().clone()),
    ];
    let mut kinds = 0;
    for read in as_each {
        match read {
            Ok(envelope) => {
                kinds += 1;
                assert_eq!(envelope.to_bytes().unwrap(), bytes);
                let ids: BTreeSet<_> = envelope.key_ids().into_iter().collect();
                assert_eq!(ids.len(), envelope.signatures().len(), "each key once");
                assert!(ids.len() <= MAX_SIGNATURES);
                assert!(envelope.pae().ends_with(envelope.payload()));
            }
            Err(error) => assert_refused(&error, &["envelope."]),
        }
    }
    assert!(kinds <= 1, "it is two documents");
}
