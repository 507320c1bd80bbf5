//! The logistic function.

/// Returns `1 / (1 + e^−x)`: the probability, from 0 to 1, of something with the logit `x`.
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::sigmoid;

    #[test]
    fn the_logistic_function_goes_from_nothing_to_one() {
        assert_eq!(sigmoid(f32::NEG_INFINITY), 0.0);
        assert_eq!(sigmoid(-200.0), 0.0);
        assert_eq!(sigmoid(0.0), 0.5);
        assert!((sigmoid(1.0) - 0.731_058_6).abs() < 1e-6);
        assert!((sigmoid(1.0) + sigmoid(-1.0) - 1.0).abs() < 1e-6);
        assert_eq!(sigmoid(200.0), 1.0);
    }
}
