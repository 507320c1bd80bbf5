//! One file a command.

pub(crate) mod ask;
pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod bench_answers;
pub(crate) mod bench_metering;
pub(crate) mod cache;
pub(crate) mod classify;
pub(crate) mod embed;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod manual;
pub(crate) mod serve;
pub(crate) mod tokenize;
pub(crate) mod trust;
pub(crate) mod trust_releases;
pub(crate) mod trust_revocations;
pub(crate) mod trust_root;
pub(crate) mod verify;
