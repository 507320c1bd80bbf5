//! Results and sizes that are known without any engine.

use bench_engine::{GEMM_SAMPLE, matrix_value};

use crate::machine;

/// The side of the square matrices of four-bit numbers.
pub(crate) const GEMV_SIDE: usize = 4096;

/// Memory is read in an amount of so many times the last level of cache.
const TIMES_THE_CACHE: usize = 4;

/// Returns the bytes that a product with one row reads of a square matrix of four bits: half a byte for each
/// weight, and two for every 32 of them, their scale.
pub(crate) const fn four_bit_bytes(side: usize) -> usize {
    side * side / 2 + side * side / 32 * 2
}

/// Returns how many bytes are read to measure the memory's bandwidth.
pub(crate) fn bandwidth_bytes() -> usize {
    TIMES_THE_CACHE * machine::last_level_cache()
}

/// Computes both ends of the product of `[m, k]` and `[k, n]`: the part that engines return.
pub(crate) fn product_sample(m: usize, k: usize, n: usize) -> Vec<f64> {
    let element = |index: usize| {
        let (row, column) = (index / n, index % n);
        let value = |index| f64::from(matrix_value(index));
        let products = (0..k).map(|i| value(row * k + i) * value(column * k + i));
        products.sum::<f64>()
    };
    let size = m * n;
    let part = GEMM_SAMPLE.min(size);
    (0..part).chain(size - part..size).map(element).collect()
}

#[cfg(test)]
mod tests {
    use ampoule_kernels::{PackedMatrix, Precision};

    use super::*;

    #[test]
    fn the_kernels_pack_four_bits_into_as_many_bytes_as_a_product_is_said_to_read() {
        let bytes = |outputs: usize| {
            let mut packer = PackedMatrix::packer(Precision::Int4, outputs, GEMV_SIDE);
            packer.push(&vec![0.5; outputs * GEMV_SIDE]);
            packer.finish().bytes()
        };
        // Without the room at the end of a matrix, which is not read.
        let sixteenth = bytes(GEMV_SIDE / 8) - bytes(GEMV_SIDE / 16);
        assert_eq!(16 * sixteenth, four_bit_bytes(GEMV_SIDE));
    }

    #[test]
    fn the_sample_of_a_product_is_of_its_first_row_and_its_last() {
        let sample = product_sample(2, 3, 16);
        assert_eq!(sample.len(), 32);
        let value = |index| f64::from(matrix_value(index));
        let element = |row: usize, column: usize| -> f64 {
            (0..3)
                .map(|i| value(row * 3 + i) * value(column * 3 + i))
                .sum()
        };
        assert_eq!((sample[0], sample[15]), (element(0, 0), element(0, 15)));
        assert_eq!((sample[16], sample[31]), (element(1, 0), element(1, 15)));
    }

    #[test]
    fn engines_take_their_sample_from_the_same_places() {
        let product: Vec<f32> = (0..64_u8).map(f32::from).collect();
        let sample = bench_engine::gemm_sample(&product);
        assert_eq!(sample.len(), product_sample(4, 1, 16).len());
        assert_eq!((sample[0], sample[31]), (0.0, 63.0));
    }
}
