//! A generation as a stream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ampoule_sandbox::Result;
use futures_core::Stream;
use tokio_util::sync::ReusableBoxFuture;

use crate::sandbox::held_sandbox::HeldSandbox;
use crate::sandbox::request_sandbox::SandboxReport;
use crate::tasks::text_generation::{Chunk, Generation};

/// The chunks of a generation, as a [`Stream`]; see [`Generation::into_stream`].
///
/// The stream ends after the last chunk or after the first error. The next chunk is made when the stream is polled, as
/// by [`Generation::next`], under the same limits. Whoever stops polling and polls again later has lost no chunk.
/// Dropping the stream ends the generation and frees its sandbox.
pub struct Chunks {
    /// The call for the next chunk; it returns the generation for the call after it.
    call: ReusableBoxFuture<'static, (Generation, Result<Option<Chunk>>)>,
    is_over: bool,
    /// For the guest's log.
    sandbox: Arc<HeldSandbox>,
    /// Cost up to the last chunk that came, without the log.
    costs: SandboxReport,
}

impl Generation {
    /// Makes a stream of this generation's chunks. Chunks that were returned already are not repeated.
    #[must_use]
    pub fn into_stream(self) -> Chunks {
        Chunks {
            sandbox: Arc::clone(&self.sandbox),
            costs: self.costs.clone(),
            call: ReusableBoxFuture::new(next_of(self)),
            is_over: false,
        }
    }
}

impl Chunks {
    /// Returns the cost of the generation up to the last chunk that came, with everything that its guest has said. The
    /// log is copied each time: ask once, at the end.
    #[must_use]
    pub fn report(&self) -> SandboxReport {
        SandboxReport {
            log: self.sandbox.log().snapshot(),
            ..self.costs.clone()
        }
    }
}

impl Stream for Chunks {
    type Item = Result<Chunk>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let (generation, chunk) = ready!(self.call.poll(context));
        self.costs = generation.costs.clone();
        self.is_over = !matches!(&chunk, Ok(Some(chunk)) if chunk.finish.is_none());
        if !self.is_over {
            self.call.set(next_of(generation));
        }
        Poll::Ready(chunk.transpose())
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks")
            .field("is_over", &self.is_over)
            .field("costs", &self.costs)
            .finish_non_exhaustive()
    }
}

async fn next_of(mut generation: Generation) -> (Generation, Result<Option<Chunk>>) {
    let chunk = generation.next().await;
    (generation, chunk)
}
