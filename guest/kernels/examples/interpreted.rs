//! The kernels in WebAssembly's vector instructions, for Miri: whether each load and each store stays within what it
//! borrows. A few small shapes of each precision, through the checks of the fuzzer:
//! `cargo +nightly miri run -p ampoule-kernels --target wasm32-wasip2 --example interpreted`.
#![forbid(unsafe_code)]

#[path = "../../../fuzz/bodies/kernels/mod.rs"]
mod kernels;

/// Two bytes of a size, which the checks take the third power of: among them are small rows and outputs, with and
/// without a remainder.
const SIZES: [[u16; 3]; 3] = [
    [19_000, 20_000, 21_000],
    [22_000, 22_000, 27_000],
    [9, 27_000, 12_000],
];

fn main() {
    for sizes in SIZES {
        let sizes: Vec<u8> = sizes.into_iter().flat_map(u16::to_le_bytes).collect();
        for kinds in 0..8_u8 {
            // No exceptions, then the numbers.
            let rest = [kinds, 5, 40, 0, 29, 71, 227, 128, 42, 145, 6];
            kernels::check("product", &[&[kinds, kinds], &sizes[..], &rest].concat());
        }
        for kinds in 0..4 {
            let rest = [0, 29, 71, 227, 128, 42, 145, 6];
            kernels::check("attention", &[&[kinds, 3], &sizes[..], &rest].concat());
        }
    }
}
