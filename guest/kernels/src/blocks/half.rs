//! Weights in f16.

use super::tile::TILE_COLUMNS;

/// One step's share: [`TILE_COLUMNS`] columns of the same row, as f16's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(16))]
pub(crate) struct HalfStep(pub(crate) [u16; TILE_COLUMNS]);
