//! Scales of rows.

use crate::blocks::int8::scale_of;
use crate::simd::{Kernels, Native};

/// Returns the scale of a row, and the factor that makes its largest magnitude `most`; see [`scale_of`].
pub(crate) fn scale_of_row(row: &[f32], most: f32) -> (f32, f32) {
    scale_of(Native::largest_magnitude(row), most)
}
