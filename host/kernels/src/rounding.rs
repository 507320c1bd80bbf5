//! Numbers as multiples of a step, the largest of them a given multiple.

/// What pushes the whole part of a number below 2²² into the low bits of its representation, rounded to the
/// nearest, the even one of two. Unlike the function for that, all processors do it to several numbers at
/// once.
pub(crate) const SHIFT: f32 = 12_582_912.0;

/// How many steps 1 is; 0 where a step is nothing, next to nothing or no number.
pub(crate) fn inverse(step: f32) -> f32 {
    let inverse = step.recip();
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// The largest absolute value; no number when one of them is infinite or none.
pub(crate) fn largest(values: &[f32]) -> f32 {
    // As bits, which are in the order of the numbers, and above them what is infinite and what is none.
    let bits = values.iter().map(|x| x.to_bits() & 0x7fff_ffff);
    let largest = f32::from_bits(bits.fold(0, u32::max));
    if largest.is_finite() {
        largest
    } else {
        f32::NAN
    }
}
