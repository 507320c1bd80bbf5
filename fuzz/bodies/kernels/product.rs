//! Any bytes as a linear layer: weights come out of a packed matrix as near to what went in as they are kept, the
//! product is that of what weights and activations are kept as, and an infinity or what is no number shows where it
//! has to and nowhere else.

use ampoule_kernels::{
    Activation, Epilogue, MatrixMut, MatrixRef, PackedMatrix, Precision, Scratch, gelu, linear,
    relu, silu,
};

use super::input::Input;

/// Sizes that reach over each of the kernels' blocks.
const MOST: [usize; 3] = [140, 280, 900];

/// Multiplications in a product: more would only be slower.
const MOST_PRODUCTS: usize = 30_000;

/// Upper bound of sums of magnitudes, with which nothing overflows on the way.
const MODERATE: f64 = 1e37;

/// Below this a block of numbers that are rounded to bytes may count as zeros.
const LEAST: f32 = 1e-36;

/// Filling between the rows of a matrix.
const GAP: f32 = 12_345.678;

/// A layer, and what goes through it.
struct Case {
    precision: Precision,
    epilogue: Epilogue,
    /// Rows of x, outputs, inputs.
    shape: [usize; 3],
    /// Elements between the rows of x, and between those of y.
    gaps: [usize; 2],
    /// Weights that come at a time.
    piece: usize,
    x: Vec<f32>,
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
    /// The numbers of y before the product.
    before: Vec<f32>,
}

pub(super) fn check(bytes: &[u8]) {
    let case = Case::read(bytes);
    let [_, outputs, inputs] = case.shape;
    let packed = case.packed();
    let mut kept = vec![0.0; outputs * inputs];
    if inputs > 0 {
        for (output, row) in kept.chunks_mut(inputs).enumerate() {
            packed.unpack(output, row);
        }
        for (row, kept) in case.weights.chunks(inputs).zip(kept.chunks(inputs)) {
            assert_kept(case.precision, row, kept);
        }
    }
    let mut scratch = Scratch::default();
    case.check_rows(case.shape[0], &packed, &kept, &mut scratch);
    // One row goes another way.
    case.check_rows(case.shape[0].min(1), &packed, &kept, &mut scratch);
}

impl Case {
    fn read(bytes: &[u8]) -> Self {
        let mut input = Input(bytes);
        let (kinds, epilogue) = (input.byte(), input.byte());
        let [rows, outputs, inputs] = MOST.map(|most| input.size(most));
        let rows = rows.min((MOST_PRODUCTS / (outputs * inputs).max(1)).max(1));
        let [x_gap, y_gap, piece] = [0; 3].map(|_: u8| usize::from(input.byte()));
        let exceptions = input.exceptions();
        let mut numbers = input.numbers(kinds >> 3, exceptions);
        Case {
            precision: match kinds % 4 {
                0 => Precision::F32,
                1 => Precision::F16,
                2 => Precision::Int8,
                _ => Precision::Int4,
            },
            epilogue: match epilogue % 5 {
                0 => Epilogue::STORE,
                1 => Epilogue::Store(Activation::Relu),
                2 => Epilogue::Store(Activation::Gelu),
                3 => Epilogue::Store(Activation::Silu),
                _ => Epilogue::Add,
            },
            shape: [rows, outputs, inputs],
            gaps: [x_gap % 8, y_gap % 8],
            piece,
            x: numbers.matrix(0, rows * inputs),
            weights: numbers.matrix(1, outputs * inputs),
            bias: (kinds & 4 != 0).then(|| numbers.matrix(2, outputs)),
            before: numbers.matrix(3, rows * outputs),
        }
    }

    /// The weights, pushed in pieces of different sizes.
    fn packed(&self) -> PackedMatrix {
        let [_, outputs, inputs] = self.shape;
        let mut packer = PackedMatrix::packer(self.precision, outputs, inputs);
        let mut rest = &self.weights[..];
        for size in (self.piece + 1..).step_by(3) {
            let (piece, later) = rest.split_at(size.min(rest.len()));
            packer.push(piece);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        packer.finish()
    }

    /// Checks the first `rows` rows of the answer.
    fn check_rows(&self, rows: usize, packed: &PackedMatrix, kept: &[f32], scratch: &mut Scratch) {
        match self.epilogue {
            Epilogue::Store(activation) => {
                let plain = self.product(rows, packed, Epilogue::STORE, scratch);
                self.assert_product(rows, kept, &plain);
                let mut expected = plain;
                match activation {
                    Activation::Identity => return,
                    Activation::Relu => relu(&mut expected),
                    Activation::Gelu => gelu(&mut expected),
                    Activation::Silu => silu(&mut expected),
                }
                let found = self.product(rows, packed, self.epilogue, scratch);
                for (found, expected) in found.iter().zip(&expected) {
                    let both_none = found.is_nan() && expected.is_nan();
                    assert!(
                        both_none || found == expected,
                        "{found} for {expected}, {activation:?}"
                    );
                }
            }
            Epilogue::Add => {
                let sum = self.product(rows, packed, Epilogue::Add, scratch);
                self.assert_product(rows, kept, &sum);
            }
        }
    }

    /// Returns the numbers of y after the product, without the gaps, which have to be as they were.
    fn product(
        &self,
        rows: usize,
        packed: &PackedMatrix,
        epilogue: Epilogue,
        scratch: &mut Scratch,
    ) -> Vec<f32> {
        let [_, outputs, inputs] = self.shape;
        let [x_stride, y_stride] = [inputs + self.gaps[0], outputs + self.gaps[1]];
        let (mut x, mut y) = (vec![GAP; rows * x_stride], vec![GAP; rows * y_stride]);
        for row in 0..rows {
            x[row * x_stride..][..inputs].copy_from_slice(&self.x[row * inputs..][..inputs]);
            let y = &mut y[row * y_stride..][..outputs];
            match epilogue {
                Epilogue::Add => y.copy_from_slice(&self.before[row * outputs..][..outputs]),
                Epilogue::Store(_) => y.fill(f32::NAN),
            }
        }
        linear(
            MatrixRef::with_stride(&x, rows, inputs, x_stride),
            packed,
            self.bias.as_deref(),
            epilogue,
            &mut MatrixMut::with_stride(&mut y, rows, outputs, y_stride),
            scratch,
        );
        let mut answer = Vec::new();
        for row in 0..rows {
            let (row, gap) = y[row * y_stride..][..y_stride].split_at(outputs);
            assert!(
                gap.iter().all(|&number| number == GAP),
                "written between rows"
            );
            answer.extend_from_slice(row);
        }
        answer
    }

    /// Fails unless `y` is what weights and activations are kept as, multiplied.
    fn assert_product(&self, rows: usize, kept: &[f32], y: &[f32]) {
        let [_, outputs, inputs] = self.shape;
        let block = match self.precision {
            Precision::Int8 => Some(64),
            Precision::Int4 if rows == 1 => Some(32),
            _ => None,
        };
        for row in 0..rows {
            let x = &self.x[row * inputs..][..inputs];
            let x = block.map_or_else(|| x.to_vec(), |block| rounded(x, block));
            for output in 0..outputs {
                let weights = &kept[output * inputs..][..inputs];
                let place = row * outputs + output;
                let mut sum = Sum::default();
                if let Some(bias) = &self.bias {
                    sum.add(bias[output]);
                }
                if self.epilogue == Epilogue::Add {
                    sum.add(self.before[place]);
                }
                sum.add_products(&x, weights);
                if block.is_some() {
                    sum.allow_for_rounded_blocks(&x, weights);
                }
                sum.assert_is(y[place], || {
                    format!(
                        "{:?} {:?}, {rows} rows, element {place}",
                        self.precision, self.shape
                    )
                });
            }
        }
    }
}

/// A sum of products in f64, as an infinity or no number where IEEE 754 has one.
#[derive(Debug, Default)]
struct Sum {
    value: f64,
    /// Of what is finite.
    magnitude: f64,
    /// The largest of what is finite: of activations, and of weights.
    largest: [f64; 2],
    terms: usize,
    /// Error that is allowed of numbers next to zero.
    lost: f64,
}

impl Sum {
    fn add(&mut self, number: f32) {
        let number = f64::from(number);
        self.value += number;
        self.terms += 1;
        if number.is_finite() {
            self.magnitude += number.abs();
        }
    }

    fn add_products(&mut self, x: &[f32], weights: &[f32]) {
        for (&x, &weight) in x.iter().zip(weights) {
            let (x, weight) = (f64::from(x), f64::from(weight));
            let product = x * weight;
            self.value += product;
            if product.is_finite() {
                self.magnitude += product.abs();
            }
            for (largest, number) in self.largest.iter_mut().zip([x, weight]) {
                if number.is_finite() && number.abs() > *largest {
                    *largest = number.abs();
                }
            }
        }
        self.terms += x.len();
        self.lost += x.len() as f64 * 1e-44;
    }

    /// Whole numbers are summed up with an offset, which is taken off again in another place; and a block next to
    /// zero counts as zeros.
    fn allow_for_rounded_blocks(&mut self, x: &[f32], weights: &[f32]) {
        let inputs = x
            .iter()
            .map(|x| f64::from(x.abs()))
            .filter(|x| x.is_finite());
        let [_, largest_weight] = self.largest;
        self.magnitude += 2.0 * largest_weight * inputs.sum::<f64>();
        self.lost += weights.len() as f64 * f64::from(LEAST) * (1.0 + largest_weight);
        // The scales are multiplied once more than here.
        self.terms += 8;
    }

    #[track_caller]
    fn assert_is(&self, found: f32, place: impl Fn() -> String) {
        let Self {
            value,
            magnitude,
            largest,
            terms,
            lost,
        } = *self;
        // What is not moderate may overflow anywhere.
        if magnitude + largest[0] * largest[1] * terms as f64 >= MODERATE {
            return;
        }
        let found = f64::from(found);
        let bound = magnitude * f64::from(f32::EPSILON) * (terms as f64 + 2.0) / 2.0 + lost;
        let holds = if value.is_finite() {
            (found - value).abs() <= bound
        } else {
            found == value || found.is_nan() && value.is_nan()
        };
        assert!(holds, "{found} for {value} ± {bound}: {}", place());
    }
}

/// The largest magnitude of a block, and no number where there is none.
fn largest(block: &[f32]) -> f32 {
    let mut largest = 0.0_f32;
    for number in block {
        if !number.is_finite() {
            return f32::NAN;
        }
        largest = largest.max(number.abs());
    }
    largest
}

/// Returns the numbers that a row of activations is rounded to.
fn rounded(x: &[f32], block: usize) -> Vec<f32> {
    let mut kept = Vec::new();
    for block in x.chunks(block) {
        let largest = largest(block);
        let (scale, inverse) = if largest < LEAST {
            (0.0, 0.0)
        } else {
            (largest / 127.0, 127.0 / largest)
        };
        kept.extend(
            block
                .iter()
                .map(|x| (x * inverse).round_ties_even() * scale),
        );
    }
    kept
}

/// Fails unless a row of weights is kept as near as its precision says.
fn assert_kept(precision: Precision, weights: &[f32], kept: &[f32]) {
    let block = match precision {
        Precision::F32 | Precision::F16 => 1,
        Precision::Int8 => 64,
        Precision::Int4 => 32,
    };
    for (weights, kept) in weights.chunks(block).zip(kept.chunks(block)) {
        let largest = largest(weights);
        let off = match precision {
            Precision::F32 => 0.0,
            Precision::F16 => largest / 2_048.0 + 3e-8,
            Precision::Int8 => largest / 126.0 * 1.001 + LEAST,
            // The scale is an f16, and a number as large as the extreme but of the other sign is cut.
            Precision::Int4 => largest / 8.0 * 1.01 + 3e-7,
        };
        for (&weight, &kept) in weights.iter().zip(kept) {
            let holds = match precision {
                Precision::F32 => kept == weight || kept.is_nan() && weight.is_nan(),
                Precision::F16 if weight.is_nan() => kept.is_nan(),
                Precision::F16 if weight.abs() >= 65_520.0 => {
                    kept == weight.signum() * f32::INFINITY
                }
                _ if largest.is_nan() => kept.is_nan(),
                Precision::Int4 if largest >= 8.0 * 65_504.0 => true,
                _ => (kept - weight).abs() <= off,
            };
            assert!(
                holds,
                "{precision:?}: {kept} for {weight}, the largest of the block is {largest}"
            );
        }
    }
}
