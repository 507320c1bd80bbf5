//! Buckets of the histograms, each with the reason for its bounds.
//!
//! A quantile is known to the width of a bucket, and each bucket is a series for each set of labels, so a histogram has
//! at most sixteen.

use prometheus_client::metrics::histogram::Histogram;

const MIB: f64 = 1_048_576.0;

/// A short text is embedded within a millisecond or two, and a long generation takes a minute or two. Three buckets a
/// decade hold a quantile to a factor of about two and a half.
pub(crate) fn request() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
        120.0,
    ])
}

/// Readers notice a silence from a tenth of a second on; proxies give up after 30 or 60 s.
pub(crate) fn first_token() -> Histogram {
    Histogram::new([
        0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

/// A free thread begins within a tenth of a millisecond; a full queue takes seconds.
pub(crate) fn wait() -> Histogram {
    Histogram::new([
        0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0,
    ])
}

/// A token of a small model takes a tenth of a millisecond, and a prompt with pictures takes seconds.
pub(crate) fn step() -> Histogram {
    Histogram::new([
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
        30.0,
    ])
}

/// Manifests ask for powers of two. 4 GiB is the most that a guest with 32-bit addresses can have.
pub(crate) fn memory() -> Histogram {
    Histogram::new(
        [
            1.0, 4.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 2_048.0, 4_096.0,
        ]
        .map(|mib| mib * MIB),
    )
}
