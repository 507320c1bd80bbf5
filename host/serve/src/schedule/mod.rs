//! The order in which requests run: the queue, the threads, and what is done on the side.

pub(crate) mod chores;
pub(crate) mod executor;
mod fair_queue;
pub(crate) mod queue;
pub(crate) mod request;
pub(crate) mod worker;
