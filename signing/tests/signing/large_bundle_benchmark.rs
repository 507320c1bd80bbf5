//! The benchmark of large bundles, in short: nothing else would notice that it does not run any more.

#[path = "../../benches/large_bundle.rs"]
#[allow(dead_code, reason = "its `main` is the benchmark's own")]
mod large_bundle;

#[test]
fn the_benchmark_of_large_bundles_runs() {
    // The smallest size that is signed in chunks.
    large_bundle::compare(65, 1);
}
