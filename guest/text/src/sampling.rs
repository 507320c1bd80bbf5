//! The choice of the next token: the likeliest, or one drawn from the likeliest (top-p is the nucleus
//! sampling of Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020).

use ampoule_guest::{Error, Sampling};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Chooses tokens as a request asks: the likeliest, or one drawn with its probability.
pub struct Sampler {
    /// None takes the likeliest.
    draw: Option<Draw>,
}

struct Draw {
    temperature: f64,
    /// Keeps this many of the likeliest tokens.
    top_k: usize,
    /// Keeps, of those, the likeliest whose probabilities add up to this.
    top_p: f64,
    rng: ChaCha12Rng,
}

impl Sampler {
    /// Checks the settings of a request, and draws a seed where it gives none.
    ///
    /// # Errors
    ///
    /// `input.sampling` when a setting is out of its range; `model.random` when there is no randomness
    /// to be had for an unseeded request.
    pub fn new(sampling: &Sampling) -> Result<Self, Error> {
        let (temperature, top_p) = (sampling.temperature, sampling.top_p);
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(out_of_range("a `temperature` of 0 or more", temperature));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(out_of_range("a `top-p` above 0 and up to 1", top_p));
        }
        if temperature == 0.0 || sampling.top_k == 1 {
            return Ok(Sampler { draw: None });
        }
        let seed = match sampling.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|found| {
                Error::new("model.random", format!("expected a random seed: {found}"))
            })?,
        };
        // The rest is zeros, so that the number alone decides the generator's whole seed, on every machine.
        let mut whole_seed = [0; 32];
        whole_seed[..8].copy_from_slice(&seed.to_le_bytes());
        Ok(Sampler {
            draw: Some(Draw {
                temperature: f64::from(temperature),
                top_k: match sampling.top_k {
                    0 => usize::MAX,
                    top_k => top_k as usize,
                },
                top_p: f64::from(top_p),
                rng: ChaCha12Rng::from_seed(whole_seed),
            }),
        })
    }

    /// Returns the next token, from the logits `[vocabulary]`, which are numbers. Of equals the first is the
    /// likeliest.
    pub fn choose(&mut self, logits: &[f32]) -> u32 {
        let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
        let logit = |token: &u32| logits[*token as usize];
        let likelier = |a: &u32, b: &u32| logit(b).total_cmp(&logit(a)).then(a.cmp(b));
        let Some(Draw {
            temperature,
            top_k,
            top_p,
            rng,
        }) = &mut self.draw
        else {
            return tokens.into_iter().min_by(likelier).unwrap_or(0);
        };
        tokens.sort_unstable_by(likelier);
        tokens.truncate(*top_k);
        let largest = tokens.first().map_or(0.0, |token| f64::from(logit(token)));
        let mut weights: Vec<f64> = tokens
            .iter()
            .map(|token| ((f64::from(logit(token)) - largest) / *temperature).exp())
            .collect();
        let all: f64 = weights.iter().sum();
        let mut kept = 0.0;
        let count = weights
            .iter()
            .position(|weight| {
                kept += weight;
                kept >= *top_p * all
            })
            .map_or(weights.len(), |last| last + 1);
        weights.truncate(count);
        let total: f64 = weights.iter().sum();
        // 53 bits: as many as a number from 0 to 1 has.
        let mut point = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64 * total;
        let drawn = weights.iter().position(|weight| {
            point -= weight;
            point < 0.0
        });
        // Rounding may leave the point just beyond the last.
        let drawn = drawn.unwrap_or(count.saturating_sub(1));
        tokens.get(drawn).copied().unwrap_or(0)
    }
}

fn out_of_range(expected: &str, found: f32) -> Error {
    Error::new(
        "input.sampling",
        format!("expected {expected}, found {found}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;

    fn sampling(temperature: f32, top_k: u32, top_p: f32) -> Sampling {
        Sampling {
            temperature,
            top_p,
            top_k,
            seed: Some(7),
        }
    }

    /// The share of draws that each token gets.
    fn shares(sampling: &Sampling, logits: &[f32]) -> Vec<f64> {
        let mut sampler = Sampler::new(sampling).unwrap();
        let draws = 100_000;
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..draws {
            counts[sampler.choose(logits) as usize] += 1.0 / f64::from(draws);
        }
        counts
    }

    #[track_caller]
    fn assert_shares(found: &[f64], expected: &[f64]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.006, "{found} for {expected}");
        }
    }

    /// The logarithms of probabilities.
    fn logits(probabilities: &[f32]) -> Vec<f32> {
        probabilities.iter().map(|p| p.ln() + 3.0).collect()
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        let logits = logits(&[0.1, 0.5, 0.15, 0.25]);
        assert_shares(
            &shares(&sampling(1.0, 0, 1.0), &logits),
            &[0.1, 0.5, 0.15, 0.25],
        );
        // At half the temperature: the squares of the probabilities.
        let squares: Vec<f64> = [0.01, 0.25, 0.0225, 0.0625].map(|p| p / 0.345).to_vec();
        assert_shares(&shares(&sampling(0.5, 0, 1.0), &logits), &squares);
    }

    #[test]
    fn top_k_and_top_p_keep_the_likeliest() {
        let logits = logits(&[0.1, 0.5, 0.15, 0.25]);
        let two = [0.0, 2.0 / 3.0, 0.0, 1.0 / 3.0];
        assert_shares(&shares(&sampling(1.0, 2, 1.0), &logits), &two);
        assert_shares(&shares(&sampling(1.0, 0, 0.74), &logits), &two);
        assert_shares(
            &shares(&sampling(1.0, 0, 0.4), &logits),
            &[0.0, 1.0, 0.0, 0.0],
        );
        assert_shares(
            &shares(&sampling(1.0, 99, 1e-9), &logits),
            &[0.0, 1.0, 0.0, 0.0],
        );
    }

    #[test]
    fn a_temperature_of_zero_and_the_least_above_it_take_the_likeliest() {
        let logits = [-3e38, 1.0, 3.0, 3.0, f32::MIN];
        for temperature in [0.0, f32::MIN_POSITIVE, 1e-40] {
            let mut sampler = Sampler::new(&sampling(temperature, 0, 0.4)).unwrap();
            assert_eq!(sampler.choose(&logits), 2);
        }
    }

    #[test]
    fn a_seed_repeats_and_no_seed_does_not() {
        let logits = vec![0.0; 500];
        let draw = |seed| {
            let mut sampling = sampling(1.0, 0, 1.0);
            sampling.seed = seed;
            let mut sampler = Sampler::new(&sampling).unwrap();
            (0..20).map(|_| sampler.choose(&logits)).collect::<Vec<_>>()
        };
        assert_eq!(draw(Some(1)), draw(Some(1)));
        assert_ne!(draw(Some(1)), draw(Some(2)));
        assert_ne!(draw(None), draw(None));
        // What ChaCha with 12 rounds and the key 1, 0, 0… gives, on every platform.
        assert_eq!(draw(Some(1))[..4], [481, 18, 30, 32]);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for (temperature, top_p) in [
            (f32::NAN, 1.0),
            (f32::INFINITY, 1.0),
            (-0.1, 1.0),
            (1.0, 0.0),
            (1.0, -0.5),
            (1.0, 1.01),
            (1.0, f32::NAN),
            (0.0, f32::NAN),
        ] {
            let error = Sampler::new(&sampling(temperature, 0, top_p))
                .err()
                .unwrap();
            assert_eq!(error.code, "input.sampling", "{temperature}, {top_p}");
        }
    }
}
