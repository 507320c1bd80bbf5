//! Bounds on the built-in model's scores.

use crate::score_table::ScoreTable;

/// Least score of each kind of question in each set: the share of right answers, of captions F1.
const BOUNDS: [(&str, &[(&str, f64)]); 4] = [
    (
        "scenes",
        &[
            ("attribute", 0.99),
            ("caption", 0.95),
            ("comparison", 0.95),
            ("count", 0.95),
            ("existence", 0.99),
            ("relation", 0.95),
        ],
    ),
    (
        // There are no comparisons among its questions.
        "combinations",
        &[
            ("attribute", 0.9),
            ("caption", 0.9),
            ("count", 0.9),
            ("existence", 0.9),
            ("relation", 0.9),
        ],
    ),
    ("phrasings", &UNSEEN),
    ("renderer", &UNSEEN),
];

/// Bounds for sets whose like training never saw.
const UNSEEN: [(&str, f64); 6] = [
    ("attribute", 0.9),
    ("caption", 0.9),
    ("comparison", 0.9),
    ("count", 0.9),
    ("existence", 0.9),
    ("relation", 0.9),
];

/// Standard errors by which a sample's score may lie below the bound. Of a model that is just good enough, one
/// large sample in 700 lies lower.
const ALLOWED_STANDARD_ERRORS: f64 = 3.0;

/// Extent of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every question: the bounds hold as they are.
    Whole,
    /// Some questions of each kind: a score may lie below its bound by three standard errors of so
    /// many questions, each right with the probability of the bound.
    Sample,
}

impl ScoreTable {
    /// Lists the scores below their bounds, a line each, and the kinds of question that were not asked or have no
    /// bound.
    #[must_use]
    pub fn misses(&self, extent: Extent) -> Vec<String> {
        let mut misses = Vec::new();
        for row in self.rows() {
            let (set, kind) = (&row.set, &row.kind);
            let Some(bound) = bound(set, kind) else {
                misses.push(format!("{set} {kind}: no bound is set"));
                continue;
            };
            let least = match extent {
                Extent::Whole => bound,
                Extent::Sample => {
                    let error = (bound * (1.0 - bound) / row.questions as f64).sqrt();
                    bound - ALLOWED_STANDARD_ERRORS * error
                }
            };
            let found = row.score.f1();
            if found < least {
                let number = row.questions;
                misses.push(format!(
                    "{set} {kind}: {found:.3} of {number} questions, expected at least {least:.3}"
                ));
            }
        }
        for (set, bounds) in BOUNDS {
            for (kind, _) in bounds {
                if !self.rows().any(|row| row.set == set && row.kind == *kind) {
                    misses.push(format!("{set} {kind}: not asked"));
                }
            }
        }
        misses
    }
}

fn bound(set: &str, kind: &str) -> Option<f64> {
    let (_, bounds) = BOUNDS.iter().find(|(name, _)| *name == set)?;
    let (_, bound) = bounds.iter().find(|(name, _)| *name == kind)?;
    Some(*bound)
}
