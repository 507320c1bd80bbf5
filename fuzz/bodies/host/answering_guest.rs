//! The guest that answers with bytes of the fuzzer's, a host for it, and what holds for all that comes of it.

use std::sync::OnceLock;

use ampoule::{Bundle, ByteSize, Error, GuestLog, Host, Limits, SandboxReport, Task};
use ampoule_tests::wat_guest;
use serde_json::json;

use super::{acme, assert_fails_as, assert_harmless};

/// The guest that answers with its input, where it has room for what it says of itself.
const GUEST: &str = "answers_with_its_input";
const DESCRIPTION: &[u8] = &[b'_'; 256];

/// What the guest may hand over in one call.
pub(super) const OUTPUT_BYTES: usize = 1 << 16;
const LOG_BYTES: usize = 1 << 12;
pub(super) const CHUNKS: u32 = 6;

/// What the guest has a place for.
pub(super) const LONGEST: usize = 1 << 14;

pub(super) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let mut limits = Limits::default();
        limits.text_chars = LONGEST;
        limits.chunks = CHUNKS;
        limits.log = ByteSize::from_bytes(LOG_BYTES as u64);
        // Compiled code and sandboxes of no more than the one guest.
        limits.memory = ByteSize::from_mib(1);
        limits.init.memory = limits.memory;
        Host::builder()
            .trust(acme().trust())
            .limits(limits)
            .threads(1)
            .build()
            .unwrap()
    })
}

/// The guest with this in the place for what it says of itself.
pub(super) fn bundle(description: &[u8]) -> Bundle {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    let component = COMPONENT.get_or_init(|| wat_guest(GUEST));
    let at = component
        .windows(DESCRIPTION.len())
        .position(|window| window == DESCRIPTION)
        .unwrap();
    let mut said = description.to_vec();
    said.resize(DESCRIPTION.len(), 0);
    let mut component = component.clone();
    component.splice(at..at + said.len(), said);
    let tasks = Task::ALL.map(Task::name);
    acme()
        .bundle(component)
        .tasks(&tasks)
        .set("/limits/output_bytes", json!(OUTPUT_BYTES))
        .set("/limits/memory_bytes", json!(1 << 20))
        .set("/limits/init/memory_bytes", json!(1 << 20))
        .in_memory()
}

pub(super) fn assert_failed(error: &Error) {
    assert_fails_as(error, &["guest.", "input.", "limit.output"]);
}

pub(super) fn assert_handed_over(bytes: usize) {
    assert!(bytes <= OUTPUT_BYTES, "{bytes} bytes");
}

pub(super) fn assert_report(report: &SandboxReport) {
    assert!(report.peak_memory <= host().limits().memory);
    assert_log(&report.log);
}

pub(super) fn assert_log(log: &GuestLog) {
    let texts = log.messages.iter().map(|message| &message.text);
    texts.for_each(|text| assert_harmless(text, 3 * LOG_BYTES));
}
