//! Shares of a product's tile in f32: plain numbers in the order in which the inner loop reads them.

/// Rows of a tile.
pub(crate) const TILE_ROWS: usize = 4;

/// Columns of a tile.
pub(crate) const TILE_COLUMNS: usize = 8;

/// Steps of a tile that are summed in one go, at most. As many inputs of all panels lie together.
pub(crate) const STEPS: usize = 32;

/// One step's share of A: the same column of [`TILE_ROWS`] rows, each number in every lane.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct RowStep(pub(crate) [[f32; 4]; TILE_ROWS]);

/// One step's share of B: [`TILE_COLUMNS`] columns of the same row. Aligned so that none crosses a
/// cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(32))]
pub(crate) struct ColumnStep(pub(crate) TileRow);

/// A row of a tile.
pub(crate) type TileRow = [[f32; 4]; 2];

/// The rows of a tile, wherever they lie.
pub(crate) type TileRows<'a> = [&'a mut TileRow; TILE_ROWS];

/// The rows of tiles that lie side by side.
pub(crate) type Tiles<'a> = [&'a mut [TileRow]; TILE_ROWS];

/// A tile of the product, by itself.
pub(crate) type Tile = [ColumnStep; TILE_ROWS];

/// Returns the rows of one tile as a row of tiles.
#[inline(always)]
pub(crate) fn alone(tile: &mut Tile) -> Tiles<'_> {
    tile.each_mut().map(|row| std::slice::from_mut(&mut row.0))
}

/// Returns one tile after another.
#[inline(always)]
pub(crate) fn each([r0, r1, r2, r3]: Tiles<'_>) -> impl Iterator<Item = TileRows<'_>> {
    let rows = r0.iter_mut().zip(r1).zip(r2).zip(r3);
    rows.map(|(((r0, r1), r2), r3)| [r0, r1, r2, r3])
}

impl RowStep {
    pub(crate) const ZERO: RowStep = RowStep([[0.0; 4]; TILE_ROWS]);
}

impl ColumnStep {
    pub(crate) const ZERO: ColumnStep = ColumnStep([[0.0; 4]; 2]);
}
