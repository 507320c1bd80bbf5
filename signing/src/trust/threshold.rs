//! The number of different keys that have to sign.

use std::num::NonZeroU32;

use crate::bundle::envelope::MAX_SIGNATURES;

/// Refuses a threshold that `keys` different keys cannot reach with the signatures that one envelope holds.
pub(crate) fn check_threshold(threshold: NonZeroU32, keys: usize) -> Result<(), String> {
    let most = keys.min(MAX_SIGNATURES);
    if u64::from(threshold.get()) <= most as u64 {
        return Ok(());
    }
    Err(format!(
        "a threshold of {threshold} needs as many keys (at most {MAX_SIGNATURES}), found {keys}"
    ))
}
