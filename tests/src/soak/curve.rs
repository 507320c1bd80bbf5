//! Memory over time, and its growth.

use std::time::Duration;

/// Points of time and bytes.
#[derive(Debug, Default)]
pub(super) struct Curve(Vec<(f64, f64)>);

impl Curve {
    pub(super) fn add(&mut self, at: Duration, bytes: u64) {
        let minutes = at.as_secs_f64() / 60.0;
        self.0.push((minutes, bytes as f64 / f64::from(1 << 20)));
    }

    pub(super) fn points(&self) -> usize {
        self.0.len()
    }

    /// Returns the growth in MiB a minute, by the method of least squares; 0 for fewer than two points.
    pub(super) fn slope(&self) -> f64 {
        let count = self.0.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| self.0.iter().map(of).sum::<f64>() / count;
        let (time, size) = (mean(|point| point.0), mean(|point| point.1));
        let (mut products, mut squares) = (0.0, 0.0);
        for (at, bytes) in &self.0 {
            products += (at - time) * (bytes - size);
            squares += (at - time).powi(2);
        }
        if squares > 0.0 {
            products / squares
        } else {
            0.0
        }
    }

    /// Returns the growth in MiB from the first point to the last; 0 for fewer than two points.
    pub(super) fn growth(&self) -> f64 {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => last.1 - first.1,
            _ => 0.0,
        }
    }

    /// Lists the sizes, in MiB.
    pub(super) fn sizes(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|point| point.1)
    }
}
