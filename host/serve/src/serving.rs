//! Everything that all served models of one process share.

use std::sync::Arc;

use ampoule_sandbox::Limits;
use ampoule_sandbox::imports::clocks::ClockResolution;

use crate::counters::Totals;
use crate::places::Places;
use crate::schedule::executor::Executor;

/// The limits, the threads and the places for sandboxes.
pub(crate) struct Serving {
    pub(crate) limits: Limits,
    pub(crate) executor: Executor,
    /// One place for each sandbox that may be alive.
    pub(crate) places: Arc<Places>,
    pub(crate) clock: ClockResolution,
    pub(crate) totals: Totals,
    /// Each model that is served has a clone.
    pub(crate) models: Arc<()>,
}
