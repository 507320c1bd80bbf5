//! The bandwidth at which one core reads memory that is in no cache.

use std::hint::black_box;
use std::time::Instant;

use bench_engine::Ready;

/// Memory to be read from its first byte to its last.
pub(crate) struct Bandwidth {
    words: Vec<u64>,
    reader: Reader,
}

/// A function that reads and adds up all words.
type Reader = fn(&[u64]) -> u64;

/// Trials of each reader before the fastest is taken.
const TRIALS: usize = 5;

impl Bandwidth {
    /// Allocates and writes so many bytes, and finds the fastest reader.
    pub(crate) fn new(bytes: usize) -> (Self, Ready) {
        let words: Vec<u64> = (0..bytes as u64 / 8).collect();
        let timed = |(name, reader): (&'static str, Reader)| {
            let best = (0..TRIALS).map(|_| time(reader, &words));
            let best = best.min_by(f64::total_cmp).unwrap_or(f64::INFINITY);
            (best, name, reader)
        };
        let readers = readers().into_iter().map(timed);
        let best = readers.min_by(|one, other| one.0.total_cmp(&other.0));
        let (_, name, reader) = best.unwrap_or((0.0, "plain sums", plain_sums));
        let ready = Ready {
            about: name.to_owned(),
            output: Vec::new(),
        };
        (Self { words, reader }, ready)
    }

    /// Reads all memory once; returns the milliseconds.
    pub(crate) fn run(&self) -> f64 {
        time(self.reader, &self.words)
    }
}

fn time(reader: Reader, words: &[u64]) -> f64 {
    let began = Instant::now();
    black_box(reader(black_box(words)));
    began.elapsed().as_secs_f64() * 1e3
}

fn readers() -> Vec<(&'static str, Reader)> {
    let mut readers: Vec<(&'static str, Reader)> =
        vec![("plain sums", plain_sums), ("two places", two_places)];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        readers.push(("AVX2 sums", avx2_checked));
        readers.push(("AVX2 sums, two places", avx2_two_places_checked));
    }
    readers
}

/// Sums sixteen columns, so that no addition waits for the one before.
#[inline(always)]
fn columns(words: &[u64]) -> u64 {
    let mut sums = [0_u64; 16];
    let (rows, rest) = words.as_chunks::<16>();
    for row in rows {
        for (sum, word) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(*word);
        }
    }
    let rest = rest.iter().copied().fold(0, u64::wrapping_add);
    sums.into_iter().fold(rest, u64::wrapping_add)
}

/// Sums as [`columns`] does, from the beginning and from the middle on by turns: two streams for the prefetcher.
#[inline(always)]
fn columns_of_two_places(words: &[u64]) -> u64 {
    let (first, second) = words.split_at(words.len() / 2);
    let mut sums = [0_u64; 16];
    let (first, _) = first.as_chunks::<16>();
    let (second, rest) = second.as_chunks::<16>();
    for (first, second) in first.iter().zip(second) {
        for ((sum, one), other) in sums.iter_mut().zip(first).zip(second) {
            *sum = sum.wrapping_add(*one).wrapping_add(*other);
        }
    }
    let rest = rest.iter().copied().fold(0, u64::wrapping_add);
    sums.into_iter().fold(rest, u64::wrapping_add)
}

fn plain_sums(words: &[u64]) -> u64 {
    columns(words)
}

fn two_places(words: &[u64]) -> u64 {
    columns_of_two_places(words)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(words: &[u64]) -> u64 {
    columns(words)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2_two_places(words: &[u64]) -> u64 {
    columns_of_two_places(words)
}

#[cfg(target_arch = "x86_64")]
fn avx2_checked(words: &[u64]) -> u64 {
    // SAFETY: `readers` gives this function only where the processor has AVX2.
    unsafe { avx2(words) }
}

#[cfg(target_arch = "x86_64")]
fn avx2_two_places_checked(words: &[u64]) -> u64 {
    // SAFETY: `readers` gives this function only where the processor has AVX2.
    unsafe { avx2_two_places(words) }
}
