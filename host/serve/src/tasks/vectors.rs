//! Rows of an embedding answer.

/// Returns `count` rows of `dimensions` values each; the rows may be empty.
pub(crate) fn rows(
    values: &[f32],
    dimensions: usize,
    count: usize,
) -> impl ExactSizeIterator<Item = &[f32]> {
    (0..count).map(move |row| &values[row * dimensions..][..dimensions])
}
