//! The rows of the matrix: what each had to give, and what it gave.

use std::collections::BTreeMap;
use std::fmt;

use ampoule_signing::{Error, Sha256Digest};

use crate::fixture::is_refusal;

/// The expected end of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The signed content, and nothing else, is handed on.
    Accepted,
    /// Nothing is handed on. The error has this code.
    Refused(&'static str),
    /// The same, with one of these codes: which, only a parser of the changed bytes could say.
    RefusedAs(&'static [&'static str]),
}

/// Place of a row: the document, the form in which it is read, the part of the matrix.
pub(super) type Place = [&'static str; 3];

/// Counts of rows, and the rows that did not end as expected.
#[derive(Default)]
pub(super) struct Tally {
    /// Numbers of accepted and of refused rows.
    counts: BTreeMap<Place, [usize; 2]>,
    wrong: Vec<String>,
}

impl Tally {
    /// Enters a row. `signed` is the digest of what is signed; `found` of what was handed on.
    pub(super) fn row(
        &mut self,
        place: Place,
        expected: Outcome,
        signed: Sha256Digest,
        found: Result<Sha256Digest, Error>,
        what: impl FnOnce() -> String,
    ) {
        let is_right = match (&found, expected) {
            (Ok(found), Outcome::Accepted) => *found == signed,
            (Err(error), Outcome::Refused(code)) => error.code() == code && is_refusal(error),
            (Err(error), Outcome::RefusedAs(codes)) => {
                codes.contains(&error.code()) && is_refusal(error)
            }
            _ => false,
        };
        if !is_right {
            let found = found.map_err(|error| format!("{}: {error}", error.code()));
            let what = what();
            self.wrong.push(format!(
                "{place:?} {what}: expected {expected:?}, {found:?}"
            ));
        }
        let refused = usize::from(expected != Outcome::Accepted);
        self.counts.entry(place).or_default()[refused] += 1;
    }

    /// Enters the rows of another part.
    pub(super) fn add(&mut self, other: Self) {
        self.wrong.extend(other.wrong);
        for (place, counts) in other.counts {
            let sum = self.counts.entry(place).or_default();
            for (sum, count) in sum.iter_mut().zip(counts) {
                *sum += count;
            }
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.counts.values().flatten().sum()
    }

    #[track_caller]
    pub(super) fn assert_as_expected(&self) {
        let some: Vec<&str> = self.wrong.iter().take(40).map(String::as_str).collect();
        assert!(
            self.wrong.is_empty(),
            "{} of {} rows are wrong:\n{}",
            self.wrong.len(),
            self.rows(),
            some.join("\n")
        );
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8} {:>8}", "accepted", "refused")?;
        for ([document, form, part], [accepted, refused]) in &self.counts {
            writeln!(f, "{accepted:>8} {refused:>8}  {document}, {form}: {part}")?;
        }
        let wrong = self.wrong.len();
        let rows = self.rows();
        write!(f, "{} of {rows} rows as expected", rows - wrong)
    }
}
