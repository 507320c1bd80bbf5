//! The signals that end a server.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals SIGTERM and SIGINT: the first asks the server to end in good order, the second to end at once.
pub(crate) struct Termination {
    first: CancellationToken,
    second: CancellationToken,
}

impl Termination {
    /// Begins to listen for both signals.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (first, second) = (CancellationToken::new(), CancellationToken::new());
        let tokens = [first.clone(), second.clone()];
        tokio::spawn(async move {
            for token in tokens {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(Self { first, second })
    }

    /// Waits for the first signal.
    pub(crate) fn first(&self) -> impl Future<Output = ()> + use<> {
        self.first.clone().cancelled_owned()
    }

    /// Waits for the second signal.
    pub(crate) fn second(&self) -> impl Future<Output = ()> + use<> {
        self.second.clone().cancelled_owned()
    }
}
