//! Vectors of length 1, which are compared by angle.

/// PyTorch's `normalize` divides by no less.
const LEAST_LENGTH: f64 = 1e-12;

/// Divides the vector by its Euclidean length, which is summed in f64. A vector of zeros stays as it is.
pub fn scale_to_unit_length(vector: &mut [f32]) {
    let length = vector
        .iter()
        .map(|&v| f64::from(v) * f64::from(v))
        .sum::<f64>()
        .sqrt()
        .max(LEAST_LENGTH);
    for value in vector {
        *value = (f64::from(*value) / length) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::scale_to_unit_length;

    #[test]
    fn a_vector_gets_length_one_and_zeros_stay() {
        let mut vector = [3.0, 0.0, -4.0];
        scale_to_unit_length(&mut vector);
        assert_eq!(vector, [0.6, 0.0, -0.8]);
        let mut large = [f32::MAX, f32::MAX];
        scale_to_unit_length(&mut large);
        assert_eq!(large, [std::f32::consts::FRAC_1_SQRT_2; 2]);
        let mut zeros = [0.0; 3];
        scale_to_unit_length(&mut zeros);
        assert_eq!(zeros, [0.0; 3]);
    }
}
