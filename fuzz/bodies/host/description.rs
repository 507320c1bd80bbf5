//! Any bytes as what a guest answers while it is loaded: that `init` failed, and what it says of itself. What
//! comes of it is text that no terminal obeys, or that the guest failed. Each input is compiled anew, since
//! nothing is put to a guest at that time but its own bytes.

use ampoule_tests::block_on;

use super::answering_guest::{OUTPUT_BYTES, assert_failed, assert_log, bundle, host};
use super::assert_harmless;

pub(super) fn check(description: &[u8]) {
    match block_on(host().load_bundle(bundle(description))) {
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
