//! Activations rounded to bytes, in the order in which the inner loop reads them.

use crate::blocks::int8::{BLOCK_INPUTS, Int8RowBlock};
use crate::blocks::tile::TILE_ROWS;
use crate::matrix::MatrixRef;
use crate::simd::{Kernels, Native};

/// Activations: rows in groups of four, and a group block by block.
#[derive(Debug, Default)]
pub(crate) struct Int8Rows {
    blocks: Vec<Int8RowBlock>,
}

impl Int8Rows {
    /// Rounds and packs these rows of `x`. The last group and last blocks are filled up with zeros.
    pub(crate) fn pack(&mut self, x: MatrixRef<'_>, rows: std::ops::Range<usize>) {
        let depth = x.columns().div_ceil(BLOCK_INPUTS);
        let groups = rows.len().div_ceil(TILE_ROWS);
        self.blocks.resize(groups * depth, Int8RowBlock::ZERO);
        let mut padded = [[0.0; BLOCK_INPUTS]; TILE_ROWS];
        let mut blocks = self.blocks.iter_mut();
        for first in rows.clone().step_by(TILE_ROWS) {
            let group: [&[f32]; TILE_ROWS] = std::array::from_fn(|i| {
                let row = first + i;
                if row < rows.end { x.row(row) } else { &[] }
            });
            for (start, block) in (0..x.columns()).step_by(BLOCK_INPUTS).zip(&mut blocks) {
                let whole = group.map(|row| row.get(start..).and_then(|row| row.first_chunk()));
                if let [Some(r0), Some(r1), Some(r2), Some(r3)] = whole {
                    Native::round_block([r0, r1, r2, r3], block);
                    continue;
                }
                for (padded, row) in padded.iter_mut().zip(group) {
                    padded.fill(0.0);
                    for (to, from) in padded.iter_mut().zip(row.iter().skip(start)) {
                        *to = *from;
                    }
                }
                Native::round_block(padded.each_ref(), block);
            }
        }
    }

    /// Returns the blocks of a group, of which each has `depth`.
    #[inline(always)]
    pub(crate) fn group(&self, group: usize, depth: usize) -> &[Int8RowBlock] {
        &self.blocks[group * depth..][..depth]
    }
}
