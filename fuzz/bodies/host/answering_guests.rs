//! A host for guests that answer with bytes of the fuzzer's, and what holds for all that comes of it.

use std::sync::OnceLock;
use std::time::Duration;

use ampoule::{Bundle, ByteSize, Error, GuestLog, Host, Limits, SandboxReport};
use serde_json::json;

use super::{acme, assert_fails_as, assert_harmless};

/// Bytes that the guest may hand over in one call.
pub(super) const OUTPUT_BYTES: usize = 1 << 16;
const LOG_BYTES: usize = 1 << 12;
pub(super) const CHUNKS: u32 = 6;

/// None of these guests computes for long; a machine with other things to do may take long to let them.
const DEADLINE: Duration = Duration::from_secs(60);

/// Bytes that the guest has a place for.
pub(super) const LONGEST: usize = 1 << 14;

pub(super) fn host() -> &'static Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let mut limits = Limits {
            text_chars: LONGEST,
            chunks: CHUNKS,
            log: ByteSize::from_bytes(LOG_BYTES as u64),
            deadline: DEADLINE,
            idle: DEADLINE,
            // Compiled code and sandboxes of no more than these guests.
            memory: ByteSize::from_mib(1),
            ..Limits::default()
        };
        limits.init.memory = limits.memory;
        Host::builder()
            .trust(acme().trust())
            .limits(limits)
            .threads(1)
            .build()
            .unwrap()
    })
}

/// The bundle of a component with these tasks.
pub(super) fn bundle(component: Vec<u8>, tasks: &[&str]) -> Bundle {
    acme()
        .bundle(component)
        .tasks(tasks)
        .set("/limits/deadline_ms", json!(DEADLINE.as_millis()))
        .set("/limits/init/deadline_ms", json!(DEADLINE.as_millis()))
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
