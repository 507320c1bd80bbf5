//! Input rows of a product.

use rten_tensor::NdTensorView;

/// `[count, length]`, one row after another.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    values: &'a [f32],
    length: usize,
}

impl<'a> Rows<'a> {
    /// Makes rows of `values`. `length` is not 0, and the number of values is a multiple of it.
    pub(crate) fn new(values: &'a [f32], length: usize) -> Self {
        debug_assert!(values.len().is_multiple_of(length));
        Self { values, length }
    }

    pub(crate) fn count(self) -> usize {
        self.values.len() / self.length
    }

    pub(crate) fn length(self) -> usize {
        self.length
    }

    pub(crate) fn values(self) -> &'a [f32] {
        self.values
    }

    /// Returns the rows as the kernels take them, `[count, length]`.
    pub(crate) fn view(self) -> NdTensorView<'a, f32, 2> {
        NdTensorView::from_data([self.count(), self.length], self.values)
    }

    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = &'a [f32]> {
        self.values.chunks_exact(self.length)
    }
}
