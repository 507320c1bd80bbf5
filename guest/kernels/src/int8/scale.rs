//! Scales of rows.

use crate::blocks::int8::scale_of;
use crate::simd::{Kernels, Native};

/// Returns the scale that makes the row's largest magnitude `most`, and the factor that does; see [`scale_of`].
pub(crate) fn scale_of_row(row: &[f32], most: f32) -> (f32, f32) {
    scale_of(Native::largest_magnitude(row), most)
}
