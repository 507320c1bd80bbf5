//! `embed` answers with the smallest step that it sees of the monotonic and of the wall clock, in
//! nanoseconds (0 where the clock stands still), with 24 bits of the random source, with 24 bits that stem
//! from the insecure seed of `std`'s hash maps, with the resolution that the monotonic clock states, in
//! nanoseconds, and with what is left of each of the two clocks when it is divided by that.
//!
//! Promise: a guest's clocks are too coarse to time a cache with, and no two sandboxes share their
//! randomness. Expected: an answer with two steps of a millisecond or more, or 0, and a third and a
//! fourth value that differ from one request to the next; a million or more, and zeros.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

use ampoule_test_guests::{Embeddings, Error, monotonic_clock, ordinary, random};
use ampoule_test_guests::{export_lifecycle, export_text_embedding};

export_lifecycle!();
export_text_embedding!(embed);

/// Enough to see a few steps of a clock of 10 ms, and little against a request's deadline.
const READINGS: u32 = 1_000_000;
const STEPS: u32 = 5;
/// As many bits as an `f32` holds exactly.
const BITS: u64 = 0xFF_FFFF;

fn embed(texts: Vec<String>) -> Result<Embeddings, Error> {
    let start = Instant::now();
    let monotonic = smallest_step(|| start.elapsed());
    let wall = smallest_step(date);
    let resolution = monotonic_clock::resolution();
    let monotonic_rest = monotonic_clock::now() % resolution;
    let wall_rest = date().as_nanos() % u128::from(resolution);
    let random = random::get_random_u64() & BITS;
    let seeded = RandomState::new().hash_one(0_u8) & BITS;
    Ok(ordinary::embeddings(
        &texts,
        &[
            monotonic,
            wall,
            random as f32,
            seeded as f32,
            resolution as f32,
            monotonic_rest as f32,
            wall_rest as f32,
        ],
    ))
}

fn date() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

fn smallest_step(read: impl Fn() -> Duration) -> f32 {
    let mut smallest = None;
    let mut steps = 0;
    let mut last = read();
    for _ in 0..READINGS {
        let now = read();
        if now != last {
            let step = now.abs_diff(last);
            smallest = Some(smallest.map_or(step, |other: Duration| other.min(step)));
            last = now;
            steps += 1;
        }
        if steps == STEPS {
            break;
        }
    }
    smallest.map_or(0.0, |step| step.as_nanos() as f32)
}
