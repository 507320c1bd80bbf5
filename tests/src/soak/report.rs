//! The report of a soak.

use std::collections::BTreeMap;
use std::fmt;

use super::curve::Curve;
use super::outcome::Outcome;

/// Wrong outcomes that are printed: one cause may have thousands of consequences.
const SHOWN: usize = 20;

/// The report of a soak.
#[derive(Debug)]
pub struct SoakReport {
    seed: u64,
    counts: BTreeMap<String, u64>,
    pub(super) busy: u64,
    curve: Curve,
    at_rest: Curve,
    /// Wrong answers and codes, lost permits and threads, or too few looks at the memory to see a leak. Empty
    /// when all is well.
    pub wrong: Vec<String>,
}

impl SoakReport {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            counts: BTreeMap::new(),
            busy: 0,
            curve: Curve::default(),
            at_rest: Curve::default(),
            wrong: Vec::new(),
        }
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Ok(kind) => *self.counts.entry(kind).or_default() += 1,
            Err(wrong) => self.wrong.push(wrong),
        }
    }

    pub(super) fn finish(
        &mut self,
        curve: Curve,
        at_rest: Curve,
        lost: Vec<String>,
        least_rests: usize,
    ) {
        self.curve = curve;
        self.at_rest = at_rest;
        self.wrong.extend(lost);
        if self.rests() < least_rests {
            self.wrong.push(format!(
                "memory was looked at {} times at rest, and it takes {least_rests} to see a leak",
                self.rests()
            ));
        }
    }

    /// Counts the looks at the resident memory while the host was idle.
    #[must_use]
    pub fn rests(&self) -> usize {
        self.at_rest.points()
    }

    /// Counts the right steps.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Counts the right steps whose name begins like this.
    #[must_use]
    pub fn count_of(&self, prefix: &str) -> u64 {
        let counts = self.counts.iter();
        let matching = counts.filter(|(name, _)| name.starts_with(prefix));
        matching.map(|(_, count)| count).sum()
    }

    /// Returns the growth of the resident memory, in MiB a minute, looked at each second.
    #[must_use]
    pub fn slope(&self) -> f64 {
        self.curve.slope()
    }

    /// Returns the growth of the resident memory, in MiB a minute, looked at while the host was idle.
    #[must_use]
    pub fn slope_at_rest(&self) -> f64 {
        self.at_rest.slope()
    }

    /// Returns the growth, in MiB, from the first idle moment to the last.
    #[must_use]
    pub fn growth_at_rest(&self) -> f64 {
        self.at_rest.growth()
    }
}

impl fmt::Display for SoakReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, count) in &self.counts {
            writeln!(f, "{count:8}  {kind}")?;
        }
        writeln!(f, "{:8}  steps with the seed {}", self.steps(), self.seed)?;
        writeln!(
            f,
            "{:8}  times the host was busy, and was asked again",
            self.busy
        )?;
        write!(f, "MiB at rest:")?;
        for size in self.at_rest.sizes() {
            write!(f, " {size:.0}")?;
        }
        writeln!(
            f,
            "\n{:+.2} MiB a minute at rest, {:+.2} MiB a minute in all",
            self.slope_at_rest(),
            self.slope()
        )?;
        for wrong in self.wrong.iter().take(SHOWN) {
            writeln!(f, "wrong: {wrong}")?;
        }
        write!(f, "{} wrong", self.wrong.len())
    }
}
