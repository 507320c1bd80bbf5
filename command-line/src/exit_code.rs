//! Exit statuses of commands, by the code of the error.
//!
//! `ampoule-sign` and `ampoule` share this table, so that a script can tell "not trusted" from "the
//! disk is full" without reading messages. Their manual pages are made from it.

use std::fmt;

/// Every status that a command ends with, in order. They are stable.
pub const EXIT_STATUSES: &[ExitStatus] = &[
    ExitStatus {
        status: 0,
        families: &[],
        meaning: "The command did what it was asked to do.",
    },
    ExitStatus {
        status: 1,
        families: &["internal"],
        meaning: "A bug of ours.",
    },
    ExitStatus {
        status: 2,
        families: &["usage"],
        meaning: "The command line, a setting, a password or an answer is wrong; nothing was done.",
    },
    ExitStatus {
        status: 3,
        families: &[
            "envelope",
            "signature",
            "manifest",
            "file",
            "trust",
            "key",
            "tls",
            "audit",
        ],
        meaning: "A bundle, a signature, a key, a certificate, a rule of trust or an audit log was refused.",
    },
    ExitStatus {
        status: 4,
        families: &["admission"],
        meaning: "The model is trusted, and asks for more than the host grants.",
    },
    ExitStatus {
        status: 5,
        families: &["limit"],
        meaning: "A limit was reached: of time, fuel, memory, output or requests.",
    },
    ExitStatus {
        status: 6,
        families: &["guest", "compile"],
        meaning: "The model failed, or could not be compiled.",
    },
    ExitStatus {
        status: 7,
        families: &["input"],
        meaning: "The model or the host refused the input.",
    },
    ExitStatus {
        status: 8,
        families: &["io"],
        meaning: "The system refused to read or to write.",
    },
];

/// A status and its meaning.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ExitStatus {
    /// The number.
    pub status: u8,
    /// The error codes that lead to it, by the part before their dot.
    pub families: &'static [&'static str],
    /// The meaning, as a sentence for people.
    pub meaning: &'static str,
}

/// Writes the sentence and the codes: ``A limit was reached. Codes: `limit.*`.``
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.meaning)?;
        for (place, family) in self.families.iter().enumerate() {
            f.write_str(if place == 0 { " Codes: " } else { ", " })?;
            write!(f, "`{family}.*`")?;
        }
        f.write_str(if self.families.is_empty() { "" } else { "." })
    }
}

/// Returns the exit status for an error code such as `trust.expired`: the part before the dot decides
/// ([`EXIT_STATUSES`]). A code that is not in the table gives 1.
///
/// ```
/// use ampoule_command_line::exit_code_for;
///
/// assert_eq!(exit_code_for("trust.expired"), 3);
/// assert_eq!(exit_code_for("limit.memory"), 5);
/// assert_eq!(exit_code_for("no-such-code"), 1);
/// ```
#[must_use]
pub fn exit_code_for(code: &str) -> u8 {
    let Some((family, _)) = code.split_once('.') else {
        return 1;
    };
    EXIT_STATUSES
        .iter()
        .find(|status| status.families.contains(&family))
        .map_or(1, |status| status.status)
}
