//! What goes number by number.

/// `x[i] += y[i]`.
///
/// # Panics
///
/// When the lengths differ.
pub fn add(x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len(), "lengths");
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}
