//! Reasons for which guests stop, from the engine's report to an error with a code.

use ampoule_units::{Budget, ByteSize, Fuel, text};
use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::error::{Error, Phase};
use crate::limits::MAX_WASM_STACK;
use crate::memory::Denial;
use crate::wasmtime_words::{is_hostcall_fuel, store_count};

/// The host's own reasons to stop a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The deadline of the phase has passed.
    #[error("the deadline has passed")]
    Deadline,
    /// Nobody waits for the answer any more.
    #[error("the request was cancelled")]
    Cancelled,
}

/// The error of an export with the contract's name and another type.
#[derive(Debug, thiserror::Error)]
#[error("the component's `{interface}` does not have the contract's type: {reason}")]
pub struct TypeMismatch {
    interface: &'static str,
    reason: String,
}

impl TypeMismatch {
    /// Makes the error for an interface of the contract, with the engine's words.
    #[must_use]
    pub fn new(interface: &'static str, error: &wasmtime::Error) -> Self {
        Self {
            interface,
            reason: text::sentence(&format!("{error:#}")),
        }
    }
}

impl From<TypeMismatch> for Error {
    fn from(mismatch: TypeMismatch) -> Self {
        Self::Task {
            reason: mismatch.to_string(),
        }
    }
}

/// Circumstances in which a guest stopped.
#[derive(Debug)]
pub struct Circumstances {
    /// The phase of its life.
    pub phase: Phase,
    /// The phase's budget.
    pub budget: Budget,
    /// Fuel that was left.
    pub fuel_left: u64,
    /// Bytes that it may hand to the host in one call.
    pub output: usize,
    /// The first memory that it was denied.
    pub denial: Option<Denial>,
}

/// Names the reason: the host's own first, then limits, then the guest's own failures.
pub fn explain(error: &wasmtime::Error, at: &Circumstances) -> Error {
    let phase = at.phase;
    match error.downcast_ref::<Stop>() {
        Some(Stop::Deadline) => {
            return Error::Deadline {
                phase,
                allowed: at.budget.deadline,
            };
        }
        Some(Stop::Cancelled) => return Error::internal("a cancelled request was waited for"),
        None => {}
    }
    if let Some(mismatch) = error.downcast_ref::<TypeMismatch>() {
        return Error::Task {
            reason: mismatch.to_string(),
        };
    }
    if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
        return Error::Busy {
            limit: None,
            reason: full.to_string(),
        };
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => {
            let used = at.budget.fuel.get().saturating_sub(at.fuel_left);
            return Error::Fuel {
                phase,
                used: Fuel::new(used),
                allowed: at.budget.fuel,
            };
        }
        Some(Trap::StackOverflow) => {
            return Error::Stack {
                phase,
                allowed: ByteSize::from_bytes(MAX_WASM_STACK as u64),
            };
        }
        _ => {}
    }
    let words = format!("{error:#}");
    if is_hostcall_fuel(&words) {
        return Error::Output {
            phase,
            allowed: ByteSize::from_bytes(at.output as u64),
        };
    }
    if let Some(denial) = at.denial {
        return Error::Memory {
            phase,
            asked: denial.asked,
            allowed: denial.allowed,
        };
    }
    if let Some(reason) = store_count(&words) {
        return Error::Instances { reason };
    }
    Error::Trap {
        phase,
        reason: describe_trap(error, &words),
    }
}

fn describe_trap(error: &wasmtime::Error, words: &str) -> String {
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return format!("the guest ended itself with status {}", exit.0);
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return trap.to_string();
    }
    text::sentence(words)
}

/// Makes an error of a failure that the guest reports. Invariant: a guest cannot choose a code of the host's. Only a
/// well-formed `input.*` code is passed on.
pub fn explain_guest_error(phase: Phase, code: &str, message: &str) -> Error {
    let message = text::sentence(message);
    let is_code = is_code(code);
    if is_code && code.starts_with("input.") && phase == Phase::Request {
        return Error::RefusedInput {
            code: code.to_owned(),
            message,
        };
    }
    Error::Guest {
        phase,
        guest_code: if is_code { code } else { "(no valid code)" }.to_owned(),
        message,
    }
}

/// The longest code of a guest's, in bytes.
const MAX_CODE_BYTES: usize = 64;

/// Tells whether a text is a code: lower-case words of letters and digits, with one hyphen or one dot between
/// two.
fn is_code(text: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.len() <= MAX_CODE_BYTES
        && text
            .split(['.', '-'])
            .all(|word| !word.is_empty() && word.bytes().all(is_letter))
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_pose_as_the_host() {
        for code in [
            "limit.deadline",
            "trust.unknown-key",
            "",
            "input.\n",
            "INPUT.x",
            "input",
            "input.",
            "input....---",
            "input..image",
            "input.-image",
            "input.image-",
            "input.image.",
            ".input.image",
            "input.bild\u{e4}",
            "input.im age",
            &format!("input.{}", "a".repeat(59)),
            &format!("input.{}", "a".repeat(10_000)),
        ] {
            let error = explain_guest_error(Phase::Request, code, "x");
            assert_eq!(error.code(), "guest.error", "{code}");
        }
        for code in ["input.image", "input.image-2.too-large", "input.7"] {
            let error = explain_guest_error(Phase::Request, code, "no picture");
            assert_eq!(error.code(), code);
        }
        let error = explain_guest_error(Phase::Init, "input.image", "no picture");
        assert_eq!(error.code(), "guest.error");
    }

    #[test]
    fn a_guests_message_is_cut_and_made_harmless() {
        let error = explain_guest_error(Phase::Request, "model.x", &"\u{1b}é".repeat(10_000));
        let Error::Guest { message, .. } = error else {
            panic!("{error:?}");
        };
        assert!(!message.contains('\u{1b}'));
        assert_eq!(message.chars().count(), text::MAX_SENTENCE_CHARS + 1);
    }
}
