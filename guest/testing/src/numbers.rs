//! Numbers that look random and are the same on every run.

/// `count` numbers from −1 to 1: a linear congruential generator with the constants of Knuth's MMIX.
#[must_use]
pub fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}
