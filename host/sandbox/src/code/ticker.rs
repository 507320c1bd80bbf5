//! A clock for engines that no executor watches: it advances their epoch.

use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;

use wasmtime::Engine;

use crate::error::{Error, Result};
use crate::guest::store::TICK;

/// Advances the epoch at every [`TICK`], on a thread that ends when this is dropped.
#[derive(Debug)]
pub struct Ticker {
    /// Nothing is ever sent. Dropping the channel ends the thread.
    _stop: SyncSender<()>,
}

impl Ticker {
    /// Starts the thread.
    ///
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
