//! Advancing an engine's epoch while something runs that no executor watches.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use wasmtime::Engine;

use crate::error::{Error, Result};
use crate::guest::store::TICK;

/// A thread that advances the epoch at every [`TICK`], until this is dropped.
pub struct Ticker {
    /// Nothing is ever sent: it is the end of the channel that ends the thread.
    _stop: SyncSender<()>,
}

impl Ticker {
    /// # Errors
    ///
    /// `io.thread`.
    pub fn start(engine: &Engine) -> Result<Self> {
        let (stop, stopped) = sync_channel(0);
        let engine = engine.clone();
        thread::Builder::new()
            .name("ampoule-build-clock".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    engine.increment_epoch();
                }
            })
            .map_err(|error| Error::thread(&error))?;
        Ok(Self { _stop: stop })
    }
}
