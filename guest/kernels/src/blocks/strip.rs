//! Shares of a row's product with four panels in f32.

use super::tile::ColumnStep;

/// One step's share of the row: its number in every lane.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct SpreadNumber(pub(crate) [f32; 4]);

/// Steps in a turn of the loop, at most.
pub(crate) const STRIP_STEPS: usize = 16;

/// Panels that are taken together.
pub(crate) const STRIP_PANELS: usize = 4;

/// The sums of a strip: for each panel its eight columns.
pub(crate) type Strip = [ColumnStep; STRIP_PANELS];

/// Parts a slice into quarters.
///
/// # Panics
///
/// When there are no whole quarters.
#[inline(always)]
pub(crate) fn quarters<T>(all: &[T]) -> [&[T]; STRIP_PANELS] {
    let length = quarter(all.len());
    std::array::from_fn(|i| &all[i * length..][..length])
}

/// Makes strips of the sums of all panels, with one panel of each quarter.
///
/// # Panics
///
/// When there are no whole quarters.
#[inline(always)]
pub(crate) fn strips_of(
    sums: &mut [ColumnStep],
) -> impl Iterator<Item = [&mut ColumnStep; STRIP_PANELS]> {
    let length = quarter(sums.len());
    let (s0, rest) = sums.split_at_mut(length);
    let (s1, rest) = rest.split_at_mut(length);
    let (s2, s3) = rest.split_at_mut(length);
    let strips = s0.iter_mut().zip(s1).zip(s2).zip(s3);
    strips.map(|(((s0, s1), s2), s3)| [s0, s1, s2, s3])
}

fn quarter(length: usize) -> usize {
    assert!(length.is_multiple_of(STRIP_PANELS), "{length} in quarters");
    length / STRIP_PANELS
}
