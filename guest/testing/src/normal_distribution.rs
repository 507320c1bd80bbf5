//! The normal distribution, which GELU is made of.

/// `Φ(x)` by its series (Marsaglia, "Evaluating the Normal Distribution", 2004): exact to f64 for
/// an `x` of some units.
#[must_use]
pub fn normal_distribution(x: f64) -> f64 {
    let (mut term, mut sum, mut i) = (x, x, 1.0);
    while term.abs() > 1e-20 {
        i += 2.0;
        term *= x * x / i;
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}
