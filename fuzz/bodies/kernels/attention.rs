//! Any bytes as attention: each query's answer is that of the definition, as near as sums in f32 come to it, whatever
//! the other queries are, and whatever the keys that it does not see.

use ampoule_kernels::{
    AttentionInputs, AttentionScratch, MatrixMut, MatrixRef, Visibility, attention,
};

use super::input::Input;

/// Rows, tokens and the width of a head: they reach over each of the blocks.
const MOST: [usize; 3] = [70, 300, 70];

/// Multiplications: more would only be slower.
const MOST_PRODUCTS: usize = 30_000;

/// Upper bound of the sums of magnitudes that make a score, and of those of values.
const MODERATE: f64 = 1e25;

/// Filling between the rows of the answer.
const GAP: f32 = 12_345.678;

struct Case {
    visibility: Visibility,
    heads: usize,
    /// Rows, tokens, and the width of a head.
    shape: [usize; 3],
    /// Elements between the rows of the answer.
    gap: usize,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

pub(super) fn check(bytes: &[u8]) {
    let case = Case::read(bytes);
    let mut scratch = AttentionScratch::default();
    let [rows, ..] = case.shape;
    case.check_rows(rows, &mut scratch);
    // One query goes another way.
    case.check_rows(rows.min(1), &mut scratch);
}

impl Case {
    fn read(bytes: &[u8]) -> Self {
        let mut input = Input(bytes);
        let (kinds, gap) = (input.byte(), usize::from(input.byte() % 8));
        let [rows, more, width] = MOST.map(|most| input.size(most));
        let heads = 1 + usize::from(kinds >> 1 & 3);
        let visibility = if kinds & 1 == 0 {
            Visibility::All
        } else {
            Visibility::Causal
        };
        // A causal query has a key of its own.
        let rows = rows.min((MOST_PRODUCTS / (heads * width * (more + rows)).max(1)).max(1));
        let tokens = match visibility {
            Visibility::All => more,
            Visibility::Causal => rows + more,
        };
        let columns = heads * width;
        let exceptions = input.exceptions();
        let mut numbers = input.numbers(kinds >> 3, exceptions);
        Case {
            visibility,
            heads,
            shape: [rows, tokens, width],
            gap,
            queries: numbers.matrix(0, rows * columns),
            keys: numbers.matrix(1, tokens * columns),
            values: numbers.matrix(2, tokens * columns),
        }
    }

    /// Checks the answers of the first `rows` queries.
    fn check_rows(&self, rows: usize, scratch: &mut AttentionScratch) {
        let [_, tokens, width] = self.shape;
        let columns = self.heads * width;
        let stride = columns + self.gap;
        let mut y = vec![GAP; rows * stride];
        attention(
            AttentionInputs {
                queries: MatrixRef::new(&self.queries, rows, columns),
                keys: MatrixRef::new(&self.keys, tokens, columns),
                values: MatrixRef::new(&self.values, tokens, columns),
            },
            self.heads,
            self.visibility,
            &mut MatrixMut::with_stride(&mut y, rows, columns, stride),
            scratch,
        );
        for row in 0..rows {
            let (y, gap) = y[row * stride..][..stride].split_at(columns);
            assert!(
                gap.iter().all(|&number| number == GAP),
                "written between rows"
            );
            let seen = match self.visibility {
                Visibility::All => tokens,
                Visibility::Causal => tokens - rows + row + 1,
            };
            for head in 0..self.heads {
                self.assert_answer(row, head, seen, &y[head * width..][..width]);
            }
        }
    }

    /// Fails unless a query's answer is what its definition gives with the first `seen` keys.
    fn assert_answer(&self, row: usize, head: usize, seen: usize, y: &[f32]) {
        let [_, tokens, width] = self.shape;
        let columns = self.heads * width;
        let part = |numbers: &[f32], row: usize| -> Vec<f64> {
            let numbers = &numbers[row * columns + head * width..][..width];
            numbers.iter().map(|&number| f64::from(number)).collect()
        };
        let query = part(&self.queries, row);
        let root = (width as f64).sqrt();
        let (mut scores, mut largest, mut magnitude) = (Vec::new(), f64::MIN, 0.0_f64);
        for key in 0..seen {
            let (mut score, mut its) = (0.0, 0.0);
            for (query, key) in query.iter().zip(part(&self.keys, key)) {
                score += query * key;
                its += (query * key).abs();
            }
            scores.push(score / root);
            largest = largest.max(score / root);
            magnitude = magnitude.max(if its.is_nan() { f64::INFINITY } else { its });
        }
        // A value that is not seen is multiplied by 0, so it has to be finite.
        let mut values = (0..tokens).flat_map(|token| part(&self.values, token));
        let largest_value = values.try_fold(0.0_f64, |largest, value| {
            (value.abs() < MODERATE).then_some(largest.max(value.abs()))
        });
        let Some(largest_value) = largest_value.filter(|_| seen > 0 && magnitude < MODERATE) else {
            return;
        };
        let powers: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let total: f64 = powers.iter().sum();
        let epsilon = f64::from(f32::EPSILON);
        // How far a score and the largest one are off, which the power function makes a factor.
        let off = epsilon * (width as f64 + 4.0) * magnitude / root;
        let factor = (2.0 * off).min(700.0).exp_m1() + 4e-6 + epsilon * seen as f64;
        for (i, &found) in y.iter().enumerate() {
            let (mut answer, mut gathered) = (0.0, 0.0);
            for (key, power) in powers.iter().enumerate() {
                let value = f64::from(self.values[key * columns + head * width + i]);
                answer += power / total * value;
                gathered += power / total * value.abs();
            }
            // The least power is not nothing.
            let bound = factor * 2.0 * gathered + tokens as f64 * 1e-37 * (1.0 + largest_value);
            assert!(
                (f64::from(found) - answer).abs() <= bound,
                "{found} for {answer} ± {bound}: {:?} {:?}, {} heads, query {row}, number {i} of head {head}",
                self.visibility,
                self.shape,
                self.heads
            );
        }
    }
}
