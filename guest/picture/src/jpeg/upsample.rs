//! Components of fewer samples than the picture has pixels, stretched as libjpeg does it by default
//! (`jdsample.c`, "fancy upsampling").
//!
//! Twice as many samples are interpolated, three parts of the nearer sample and one of the next, across, down
//! or both; other factors repeat samples.

use super::frame::Component;
use super::strip::Strip;

/// The way of stretching a component, with room for a row.
pub(super) struct Upsampling {
    method: Method,
    /// Samples across and down.
    samples: [usize; 2],
    row: Vec<u8>,
    /// A row of samples that was interpolated down, in quarters.
    quarters: Vec<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    None,
    InterpolateAcross,
    InterpolateDown,
    InterpolateBoth,
    Repeat { across: usize, down: usize },
}

impl Upsampling {
    pub(super) fn new(component: &Component, most: [usize; 2]) -> Self {
        let [across, down] = [0, 1].map(|axis| most[axis] / component.factors[axis]);
        let width = component.samples[0];
        let method = match (across, down) {
            (1, 1) => Method::None,
            (1, 2) => Method::InterpolateDown,
            // Of narrower pictures libjpeg repeats the samples.
            (2, 1) if width > 2 => Method::InterpolateAcross,
            (2, 2) if width > 2 => Method::InterpolateBoth,
            _ => Method::Repeat { across, down },
        };
        Self {
            method,
            samples: component.samples,
            row: vec![0; width * across],
            quarters: vec![0; width],
        }
    }

    /// Returns the samples of a row of pixels: as many as there are pixels, or some more.
    pub(super) fn row<'r>(&'r mut self, strip: &'r Strip, y: usize) -> &'r [u8] {
        let width = self.samples[0];
        let row = |y: usize| &strip.row(y)[..width];
        // Beyond the first and the last row lies that row again.
        let next = match y % 2 {
            0 => (y / 2).saturating_sub(1),
            _ => (y / 2 + 1).min(self.samples[1] - 1),
        };
        match self.method {
            Method::None => return row(y),
            Method::InterpolateAcross => interpolate_across(row(y), &mut self.row),
            Method::InterpolateDown => {
                let round = 1 + (y % 2) as u16;
                let pairs = row(y / 2).iter().zip(row(next));
                for (out, (&near, &far)) in self.row.iter_mut().zip(pairs) {
                    *out = ((3 * u16::from(near) + u16::from(far) + round) >> 2) as u8;
                }
            }
            Method::InterpolateBoth => {
                let pairs = row(y / 2).iter().zip(row(next));
                for (out, (&near, &far)) in self.quarters.iter_mut().zip(pairs) {
                    *out = 3 * u16::from(near) + u16::from(far);
                }
                interpolate_both(&self.quarters, &mut self.row);
            }
            Method::Repeat { across, down } => {
                let outs = self.row.chunks_exact_mut(across);
                for (out, &sample) in outs.zip(row(y / down)) {
                    out.fill(sample);
                }
            }
        }
        &self.row
    }
}

/// Doubles a row of at least two samples.
fn interpolate_across(samples: &[u8], row: &mut [u8]) {
    let pairs = row.as_chunks_mut::<2>().0;
    let (Some(&first), Some(&last)) = (samples.first(), samples.last()) else {
        return;
    };
    let inner = pairs.iter_mut().skip(1);
    for (pair, window) in inner.zip(samples.windows(3)) {
        let [before, here, after] = [window[0], window[1], window[2]].map(u16::from);
        *pair = [
            ((3 * here + before + 1) >> 2) as u8,
            ((3 * here + after + 2) >> 2) as u8,
        ];
    }
    let [second, last_but_one] = [samples[1], samples[samples.len() - 2]].map(u16::from);
    if let Some(pair) = pairs.first_mut() {
        *pair = [first, ((3 * u16::from(first) + second + 2) >> 2) as u8];
    }
    if let Some(pair) = pairs.last_mut() {
        *pair = [((3 * u16::from(last) + last_but_one + 1) >> 2) as u8, last];
    }
}

/// Doubles a row of at least two samples that are in quarters.
fn interpolate_both(quarters: &[u16], row: &mut [u8]) {
    let pairs = row.as_chunks_mut::<2>().0;
    let (Some(&first), Some(&last)) = (quarters.first(), quarters.last()) else {
        return;
    };
    let inner = pairs.iter_mut().skip(1);
    for (pair, window) in inner.zip(quarters.windows(3)) {
        let [before, here, after] = [window[0], window[1], window[2]];
        *pair = [
            ((3 * here + before + 8) >> 4) as u8,
            ((3 * here + after + 7) >> 4) as u8,
        ];
    }
    let [second, last_but_one] = [quarters[1], quarters[quarters.len() - 2]];
    if let Some(pair) = pairs.first_mut() {
        *pair = [
            ((4 * first + 8) >> 4) as u8,
            ((3 * first + second + 7) >> 4) as u8,
        ];
    }
    if let Some(pair) = pairs.last_mut() {
        *pair = [
            ((3 * last + last_but_one + 8) >> 4) as u8,
            ((4 * last + 7) >> 4) as u8,
        ];
    }
}
