//! Routes of those who watch the server: the probes of orchestrators and balancers, and scrapers of metrics.

/// The routes, which have no parameters: a route's pattern is its path. Each is asked every few seconds, to the end of a
/// drain.
const PROBES: [&str; 6] = [
    "/health",
    "/healthz",
    "/metrics",
    "/readyz",
    "/v2/health/live",
    "/v2/health/ready",
];

/// Tells whether this is the path of a probe.
pub(crate) fn is_probe(path: &str) -> bool {
    PROBES.contains(&path)
}
