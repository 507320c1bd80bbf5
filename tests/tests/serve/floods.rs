//! Floods of connections, bodies, invented models and vanishing clients: the server stays as it was.

use ampoule_tests::{Flood, flood};

/// `cargo xtask soak --serve` has the same floods, larger.
#[test]
fn memory_stays_flat_under_floods_and_the_next_good_request_is_answered() {
    let size = Flood {
        invented_models: 1_000,
        slow_heads: 600,
        slow_bodies: 600,
        announced: 20,
        vanishing: 128,
    };
    let report = flood(size, &["--connections", "200"]);
    assert!(report.is_flat(), "{report}");
}
