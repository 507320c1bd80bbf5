//! Which exit status a command ends with, by the code of its error.
//!
//! `ampoule-sign` and `ampoule` share this table, so that a script can tell "not trusted" from "the
//! disk is full" without reading messages.

/// The exit status for an error code such as `trust.expired`: the part before the dot decides.
///
/// | codes | status |
/// | --- | --- |
/// | `internal.*`, and any code that is not in this table | 1 |
/// | `usage.*` | 2 |
/// | `envelope.*`, `signature.*`, `manifest.*`, `file.*`, `trust.*` | 3 |
/// | `admission.*` | 4 |
/// | `limit.*` | 5 |
/// | `guest.*`, `compile.*` | 6 |
/// | `input.*` | 7 |
/// | `io.*` | 8 |
///
/// ```
/// use ampoule_signing::exit_code_for;
///
/// assert_eq!(exit_code_for("trust.expired"), 3);
/// assert_eq!(exit_code_for("limit.memory"), 5);
/// assert_eq!(exit_code_for("no-such-code"), 1);
/// ```
#[must_use]
pub fn exit_code_for(code: &str) -> u8 {
    match code.split_once('.').map(|(family, _)| family) {
        Some("usage") => 2,
        Some("envelope" | "signature" | "manifest" | "file" | "trust") => 3,
        Some("admission") => 4,
        Some("limit") => 5,
        Some("guest" | "compile") => 6,
        Some("input") => 7,
        Some("io") => 8,
        _ => 1,
    }
}
