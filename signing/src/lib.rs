//! Signed manifests, keys and trust for Ampoule model bundles.
