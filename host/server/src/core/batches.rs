//! Batches of texts, each for one sandbox.

use std::ops::Range;

use ampoule::Limits;

/// Bytes of text for one sandbox. All texts of a sandbox share one deadline, and a caller could fill it with the longest
/// texts that the host takes. A text of more bytes than these has a sandbox to itself.
const BYTES_PER_SANDBOX: usize = 64 * 1024;

/// Cuts texts of these lengths in bytes into ranges of at most `most` texts, of no more texts than the operator lets a
/// sandbox have, and of at most [`BYTES_PER_SANDBOX`].
pub(crate) fn of_texts(
    lengths: impl IntoIterator<Item = usize>,
    most: usize,
    limits: &Limits,
) -> Vec<Range<usize>> {
    let most = most.min(limits.texts).max(1);
    let mut batches: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0_usize;
    for (index, length) in lengths.into_iter().enumerate() {
        bytes = bytes.saturating_add(length);
        match batches.last_mut() {
            Some(last) if last.len() < most && bytes <= BYTES_PER_SANDBOX => last.end = index + 1,
            _ => {
                batches.push(index..index + 1);
                bytes = length;
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_in_order_by_their_number_their_bytes_and_the_operators_word() {
        let cut = |lengths: &[usize], most, texts| {
            let limits = Limits {
                texts,
                ..Limits::default()
            };
            of_texts(lengths.iter().copied(), most, &limits)
        };
        assert!(cut(&[], 4, 4).is_empty());
        assert_eq!(cut(&[1; 5], 4, 256), [0..4, 4..5]);
        assert_eq!(cut(&[1; 5], 4, 2), [0..2, 2..4, 4..5]);
        assert_eq!(cut(&[1; 2], 0, 0), [0..1, 1..2]);
        let half = BYTES_PER_SANDBOX / 2;
        assert_eq!(cut(&[half; 5], 4, 256), [0..2, 2..4, 4..5]);
        assert_eq!(
            cut(&[1, usize::MAX, usize::MAX, 1, 1], 4, 256),
            [0..1, 1..2, 2..3, 3..5]
        );
    }
}
