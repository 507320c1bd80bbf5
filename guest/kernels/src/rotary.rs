//! Rotary position embedding (Su et al., "RoFormer", 2021).

use crate::matrix::MatrixMut;

/// The sines and cosines by which the numbers of a head are turned, for each position.
///
/// Number `i` of a head is paired with number `i + width / 2`, as in Llama and GPT-NeoX, and the pair is turned by
/// the angle `position · base^(−2i / width)`.
#[derive(Debug, Clone)]
pub struct RotaryTable {
    /// Half of a head's width.
    half: usize,
    /// `[positions, half]`.
    cosines: Vec<f32>,
    /// `[positions, half]`.
    sines: Vec<f32>,
}

impl RotaryTable {
    /// A table for heads of `width` numbers and the positions from 0 on. `base` is usually 10,000.
    ///
    /// # Panics
    ///
    /// When `width` is odd or 0.
    pub fn new(width: usize, positions: usize, base: f64) -> Self {
        assert!(width > 0 && width.is_multiple_of(2), "a width of {width}");
        let half = width / 2;
        let angles = |position: usize| {
            (0..half).map(move |i| position as f64 * base.powf(-2.0 * i as f64 / width as f64))
        };
        let of_all = |f: fn(f64) -> f64| {
            (0..positions)
                .flat_map(angles)
                .map(|angle| f(angle) as f32)
                .collect()
        };
        RotaryTable {
            half,
            cosines: of_all(f64::cos),
            sines: of_all(f64::sin),
        }
    }

    /// Returns the number of positions.
    pub fn positions(&self) -> usize {
        self.cosines.len() / self.half
    }

    /// Turns the heads of each row `[rows, heads · width]`; the first row is at position `first`.
    ///
    /// # Panics
    ///
    /// When the columns are no whole number of heads, or there are not so many positions.
    pub fn apply(&self, matrix: &mut MatrixMut<'_>, first: usize) {
        assert_eq!(matrix.columns() % (2 * self.half), 0, "whole heads");
        assert!(
            first <= self.positions() && matrix.rows() <= self.positions() - first,
            "{} rows from position {first} of {}",
            matrix.rows(),
            self.positions()
        );
        for row in 0..matrix.rows() {
            let place = (first + row) * self.half;
            let cosines = &self.cosines[place..][..self.half];
            let sines = &self.sines[place..][..self.half];
            for head in matrix.row_mut(row).chunks_exact_mut(2 * self.half) {
                let (left, right) = head.split_at_mut(self.half);
                let pairs = left.iter_mut().zip(right).zip(cosines.iter().zip(sines));
                for ((x, y), (cosine, sine)) in pairs {
                    (*x, *y) = (*x * cosine - *y * sine, *y * cosine + *x * sine);
                }
            }
        }
    }
}
