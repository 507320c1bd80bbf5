//! One row of activations, rounded to bytes in blocks.

use crate::blocks::int4::{BLOCK_INPUTS, Int4Input, QUAD, QUADS, WEIGHT_OFFSET};
use crate::blocks::int8::MOST_ACTIVATION;
use crate::int8::scale_of_row;
use crate::simd::LANES;

/// A row of activations.
#[derive(Debug, Default)]
pub(crate) struct Int4Inputs {
    blocks: Vec<Int4Input>,
}

impl Int4Inputs {
    /// Rounds a row.
    pub(crate) fn pack(&mut self, x: &[f32]) {
        self.blocks.clear();
        self.blocks.extend(x.chunks(BLOCK_INPUTS).map(|values| {
            let (scale, inverse) = scale_of_row(values, MOST_ACTIVATION);
            let mut rounded = [0; BLOCK_INPUTS];
            for (rounded, value) in rounded.iter_mut().zip(values) {
                *rounded = (value * inverse).round_ties_even() as i8;
            }
            let [mut first, mut last] = [0; 2];
            let mut quads = [[[0; QUAD]; LANES]; QUADS];
            for (lanes, &quad) in quads.iter_mut().zip(rounded.as_chunks().0) {
                *lanes = [quad; LANES];
                let [a, b, c, d] = quad.map(i16::from);
                first -= WEIGHT_OFFSET * (a + b);
                last -= WEIGHT_OFFSET * (c + d);
            }
            Int4Input {
                values: quads,
                correction: [first, last, first, last, first, last, first, last],
                scale: [scale; LANES],
            }
        }));
    }

    pub(crate) fn blocks(&self) -> &[Int4Input] {
        &self.blocks
    }
}
