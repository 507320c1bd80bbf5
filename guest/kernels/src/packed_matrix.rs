//! A matrix of weights, packed once for many products.

use crate::half_panels::HalfPanels;
use crate::int4::Int4Panels;
use crate::int8::Int8Panels;
use crate::panels::Panels;

/// Format in which a matrix keeps its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// 32 bits a weight, as they are.
    #[default]
    F32,
    /// 16 bits a weight, widened to f32 when they are multiplied. Beyond ±65,504 a weight
    /// becomes infinite, below 6·10⁻⁸ zero.
    F16,
    /// 7 bits a weight in a byte, from −63 to 63, and a scale for each 64 inputs of an output: 8.5 bits in memory.
    /// Activations are rounded to 8 bits, −127 to 127, with a scale for each 64 inputs of a row, when they are
    /// multiplied. On both sides 64 numbers that are all below 10⁻³⁶ count as zeros.
    Int8,
    /// 4 bits a weight, from −8 to 7, and a scale in f16 for each 32 inputs of an output: 4.5 bits.
    /// With one row of activations these are rounded to 8 bits, with a scale for each 32 inputs; with
    /// more, weights are widened to f32.
    Int4,
}

/// A matrix of weights `[outputs, inputs]`, packed for [`linear`](crate::linear).
#[derive(Debug, Clone, PartialEq)]
pub struct PackedMatrix(pub(crate) Weights);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Weights {
    F32(Panels),
    F16(HalfPanels),
    Int8(Int8Panels),
    Int4(Int4Panels),
}

/// Evaluates one expression for whichever format the weights have.
macro_rules! of_each {
    ($matrix:expr, $weights:ident => $answer:expr) => {
        match $matrix {
            Weights::F32($weights) => $answer,
            Weights::F16($weights) => $answer,
            Weights::Int8($weights) => $answer,
            Weights::Int4($weights) => $answer,
        }
    };
}

impl PackedMatrix {
    /// Starts a matrix whose weights come a piece at a time.
    ///
    /// # Panics
    ///
    /// When it is too large to be addressed.
    pub fn packer(precision: Precision, outputs: usize, inputs: usize) -> MatrixPacker {
        let weights = match precision {
            Precision::F32 => Weights::F32(Panels::zeros(outputs, inputs)),
            Precision::F16 => Weights::F16(HalfPanels::zeros(outputs, inputs)),
            Precision::Int8 => Weights::Int8(Int8Panels::zeros(outputs, inputs)),
            Precision::Int4 => Weights::Int4(Int4Panels::zeros(outputs, inputs)),
        };
        MatrixPacker {
            matrix: PackedMatrix(weights),
            filled: 0,
            row: Vec::new(),
        }
    }

    /// Returns the number of outputs: rows as the weights are usually stored.
    pub fn outputs(&self) -> usize {
        of_each!(&self.0, weights => weights.outputs())
    }

    /// Returns the number of inputs: columns as the weights are usually stored.
    pub fn inputs(&self) -> usize {
        of_each!(&self.0, weights => weights.inputs())
    }

    /// Returns how many bytes of memory the matrix takes.
    pub fn bytes(&self) -> usize {
        of_each!(&self.0, weights => weights.bytes())
    }

    /// Writes the weights of one output to `row` `[inputs]`, as products compute with them. A table of embeddings
    /// that is also the last layer's matrix is then kept once.
    ///
    /// # Panics
    ///
    /// When there is no such output, or `row` has another length.
    pub fn unpack(&self, output: usize, row: &mut [f32]) {
        assert!(
            output < self.outputs(),
            "output {output} of {}",
            self.outputs()
        );
        assert_eq!(row.len(), self.inputs(), "inputs");
        of_each!(&self.0, weights => weights.unpack(output, row));
    }
}

/// Packs the weights of a matrix as they are read, in row-major order: several matrices with the same
/// inputs, one after another, become one.
#[derive(Debug)]
pub struct MatrixPacker {
    matrix: PackedMatrix,
    /// Weights that came so far.
    filled: usize,
    /// Weights of an output whose rest has not come yet, where a scale depends on all of them.
    row: Vec<f32>,
}

impl MatrixPacker {
    /// Takes the next weights.
    ///
    /// # Panics
    ///
    /// When these are more than the matrix has.
    pub fn push(&mut self, values: &[f32]) {
        let (outputs, inputs) = (self.matrix.outputs(), self.matrix.inputs());
        assert!(
            values.len() <= outputs * inputs - self.filled,
            "{} elements from {} on in a matrix of {outputs} × {inputs}",
            values.len(),
            self.filled,
        );
        let first = self.filled;
        self.filled += values.len();
        match &mut self.matrix.0 {
            Weights::F32(panels) => panels.fill(first, values),
            Weights::F16(panels) => panels.fill(first, values),
            Weights::Int8(panels) => {
                each_row(&mut self.row, first, inputs, values, |output, row| {
                    panels.set(output, row);
                });
            }
            Weights::Int4(panels) => {
                each_row(&mut self.row, first, inputs, values, |output, row| {
                    panels.set(output, row);
                });
            }
        }
    }

    /// Returns the packed matrix.
    ///
    /// # Panics
    ///
    /// When there are weights to come.
    pub fn finish(self) -> PackedMatrix {
        let (outputs, inputs) = (self.matrix.outputs(), self.matrix.inputs());
        assert_eq!(
            self.filled,
            outputs * inputs,
            "weights of {outputs} × {inputs}"
        );
        self.matrix
    }
}

/// Hands whole rows to `take`, with their indices, and keeps the beginning of the last in `rest`. `first` is the index
/// of the first of the values.
fn each_row(
    rest: &mut Vec<f32>,
    first: usize,
    inputs: usize,
    mut values: &[f32],
    mut take: impl FnMut(usize, &[f32]),
) {
    let mut output = (first - rest.len()).checked_div(inputs).unwrap_or(0);
    while !values.is_empty() {
        let (more, later) = values.split_at(values.len().min(inputs - rest.len()));
        values = later;
        if rest.is_empty() && more.len() == inputs {
            take(output, more);
        } else {
            rest.extend_from_slice(more);
            if rest.len() < inputs {
                return;
            }
            take(output, rest);
            rest.clear();
        }
        output += 1;
    }
}
