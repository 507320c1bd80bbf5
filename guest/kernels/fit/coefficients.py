"""Fits the polynomials of src/gelu.rs and src/softmax.rs, and prints them with their errors.

    pip install numpy && python coefficients.py

Both are least-squares fits whose weights are raised where the error is large, over and over
(Lawson's method), which tends to the minimax fit. The rational one is linearised: the error of
x·P − erf·Q is weighted by 1/Q of the round before.
"""

import math

import numpy as np

# Beyond this, 1 − erf(x/√2) is below half the spacing of f32 numbers next to 1.
CLAMP = 5.6


def lawson(weights, error):
    weights = weights * np.sqrt(error / error.max() + 1e-3)
    return weights / weights.mean()


def fit_erf(degree_p=5, degree_q=5, rounds=60):
    """erf(x/√2) ≈ x·P(x²)/Q(x²), Q(0) = 1."""
    x = ((1 - np.cos(np.linspace(0, np.pi, 6000))) / 2 * CLAMP)[1:]
    f = np.array([math.erf(v / math.sqrt(2)) for v in x])
    u = (x / CLAMP) ** 2
    weights, q_of_u, best = np.ones_like(x), np.ones_like(x), None
    for _ in range(rounds):
        columns = np.concatenate(
            [
                x[:, None] * u[:, None] ** np.arange(degree_p + 1),
                -f[:, None] * u[:, None] ** np.arange(1, degree_q + 1),
            ],
            axis=1,
        )
        scale = weights / q_of_u
        solution, *_ = np.linalg.lstsq(columns * scale[:, None], f * scale, rcond=1e-18)
        p, q = solution[: degree_p + 1], np.concatenate([[1.0], solution[degree_p + 1 :]])
        q_of_u = np.polynomial.polynomial.polyval(u, q)
        error = np.abs(x * np.polynomial.polynomial.polyval(u, p) / q_of_u - f)
        if best is None or error.max() < best[0]:
            powers = CLAMP**2
            best = (
                error.max(),
                p / powers ** np.arange(degree_p + 1),
                q / powers ** np.arange(degree_q + 1),
            )
        weights = lawson(weights, error)
    return best


def fit_exp(degree=6, rounds=80):
    """e^r ≈ 1 + r + c₂r² + … over |r| ≤ ln 2 / 2, in relative error."""
    r = -np.cos(np.linspace(0, np.pi, 4000)) * math.log(2) / 2
    weights = np.ones_like(r)
    columns = r[:, None] ** np.arange(2, degree + 1)
    for _ in range(rounds):
        scale = weights / np.exp(r)
        c, *_ = np.linalg.lstsq(columns * scale[:, None], (np.exp(r) - 1 - r) * scale, rcond=1e-18)
        error = np.abs(columns @ c - (np.exp(r) - 1 - r)) / np.exp(r)
        weights = lawson(weights, error)
    return error.max(), c


def horner(coefficients, x):
    result = np.full_like(x, np.float32(coefficients[-1]))
    for c in coefficients[-2::-1]:
        result = result * x + np.float32(c)
    return result


def main():
    error, p, q = fit_erf()
    print("erf: maximum absolute error in exact arithmetic", error)
    print("  P", [f"{np.float32(c):.9e}" for c in p])
    print("  Q", [f"{np.float32(c):.9e}" for c in q])
    x = np.linspace(-12, 12, 1_000_001).astype(np.float32)
    clamped = np.clip(x, -np.float32(CLAMP), np.float32(CLAMP))
    t = clamped * clamped
    erf = np.clip(clamped * horner(p, t) / horner(q, t), np.float32(-1), np.float32(1))
    gelu = np.float32(0.5) * x * (np.float32(1) + erf)
    exact = np.array([0.5 * float(v) * (1 + math.erf(float(v) / math.sqrt(2))) for v in x])
    difference = np.abs(gelu - exact)
    print("  gelu in f32: maximum error over max(|x|, 1)", (difference / np.maximum(1, np.abs(x))).max())
    print("  gelu at the tails", gelu[0], gelu[-1] - x[-1], "largest error for x < -5", difference[x < -5].max())
    error, c = fit_exp()
    print("exp: maximum relative error in exact arithmetic", error)
    print("  c", [f"{np.float32(v):.9e}" for v in c])


if __name__ == "__main__":
    main()
