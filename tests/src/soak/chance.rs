//! Random choices, which a seed repeats.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Random numbers of one caller.
pub(super) struct Chance(ChaCha8Rng);

impl Chance {
    pub(super) fn new(seed: u64, caller: u64) -> Self {
        let mut numbers = ChaCha8Rng::seed_from_u64(seed);
        numbers.set_stream(caller);
        Self(numbers)
    }

    /// Returns a number from 0 to one less than `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    pub(super) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// Returns so many words of small letters.
    pub(super) fn words(&mut self, count: u64) -> Vec<String> {
        let mut word = || -> String {
            let letters = 1 + self.below(8);
            (0..letters)
                .map(|_| char::from(b'a' + self.below(26) as u8))
                .collect()
        };
        (0..count).map(|_| word()).collect()
    }
}
