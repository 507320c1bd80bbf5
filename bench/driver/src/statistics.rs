//! Medians, and the angle between vectors.

/// Returns the middle figure, or the mean of the two in the middle; `None` of no figures.
pub(crate) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    Some((figures[middle - 1] + upper) / 2.0)
}

/// Returns the cosine of the angle between two vectors; `None` for vectors of zeros or of different lengths.
pub(crate) fn cosine(left: &[f64], right: &[f64]) -> Option<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (dot(left, left) * dot(right, right)).sqrt();
    (left.len() == right.len() && lengths > 0.0).then(|| dot(left, right) / lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn vectors_that_cannot_be_compared_have_no_cosine() {
        assert_eq!(cosine(&[3.0, 4.0], &[6.0, 8.0]), Some(1.0));
        assert_eq!(cosine(&[3.0, 4.0], &[-4.0, 3.0]), Some(0.0));
        assert_eq!(cosine(&[3.0, 4.0], &[3.0]), None);
        assert_eq!(cosine(&[0.0], &[1.0]), None);
        assert_eq!(cosine(&[], &[]), None);
        assert_eq!(cosine(&[f64::NAN], &[1.0]), None);
    }
}
