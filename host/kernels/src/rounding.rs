//! Rounding to multiples of a step, which is chosen so that the largest number is a given multiple.

/// Adding this to a number below 2²² rounds it to the nearest integer, ties to even, and leaves the integer in the low
/// bits of the sum. All processors do this for several numbers at once, unlike the function for rounding.
pub(crate) const SHIFT: f32 = 12_582_912.0;

/// Returns `1 / step`; 0 when that is not finite, or `step` is NaN.
pub(crate) fn inverse(step: f32) -> f32 {
    let inverse = step.recip();
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// Returns the largest absolute value; NaN when a value is not finite.
pub(crate) fn largest(values: &[f32]) -> f32 {
    // The bits of positive floats are in the order of their values, with infinity and NaN above all numbers.
    let bits = values.iter().map(|x| x.to_bits() & 0x7fff_ffff);
    let largest = f32::from_bits(bits.fold(0, u32::max));
    if largest.is_finite() {
        largest
    } else {
        f32::NAN
    }
}
