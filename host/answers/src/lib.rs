//! A cache of answers, apart for each tenant.
