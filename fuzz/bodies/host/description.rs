//! Any bytes as what a guest answers while it is loaded: that `init` failed, and what it says of itself. What
//! comes of it is text that no terminal obeys, or that the guest failed. Each input is compiled anew, since
//! nothing is put to a guest at that time but its own bytes.

use std::sync::OnceLock;

use ampoule_tests::{block_on, wat_guest};

use super::answering_guests::{OUTPUT_BYTES, assert_failed, assert_log, bundle, host};
use super::assert_harmless;

/// The place in the guest for what it says of itself.
const DESCRIPTION: &[u8] = &[b'_'; 256];

pub(super) fn check(description: &[u8]) {
    let bundle = bundle(described(description), &["text-embedding"]);
    match block_on(host().load_bundle(bundle)) {
        Ok(model) => {
            let info = model.info();
            let said = info.properties.iter().flat_map(|(key, value)| [key, value]);
            let said = said.chain([&info.architecture]);
            // A character that is replaced may become three bytes.
            said.for_each(|text| assert_harmless(text, 3 * OUTPUT_BYTES));
            if let Some(init) = model.init_report() {
                assert_log(&init.log);
            }
        }
        Err(error) => assert_failed(&error),
    }
}

/// The guest with this in its place.
fn described(description: &[u8]) -> Vec<u8> {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    let guest = GUEST.get_or_init(|| wat_guest("describes_itself_wildly"));
    let mut places = guest.windows(DESCRIPTION.len());
    let at = places.position(|window| window == DESCRIPTION).unwrap();
    let mut said = description.to_vec();
    said.resize(DESCRIPTION.len(), 0);
    let mut guest = guest.clone();
    guest.splice(at..at + said.len(), said);
    guest
}
